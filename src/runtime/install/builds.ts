/** Which pinned build of TensorFlow a machine takes, and what a folder must hold to be compiled against. */
import * as path from 'node:path';
import { cannot, EXIT } from '../../common/errors.js';
import { exists } from '../../common/files.js';
import { type Build, BUILDS, VERSIONS } from './pins.js';

/** What a runtime is wanted for. */
export interface Want {
  device: Build['device'];
  /** Of TensorFlow; any that is installed, else the default, where it is left out. */
  tensorflow?: string | undefined;
}

/** The hint wherever the disk is full. */
export const FREE_SPACE = 'free some space, or choose another cache with XDG_CACHE_HOME';

/** The command that installs a build. */
export function setupCommand({ device, version }: Build): string {
  const cuda = device === 'cuda' ? ' --cuda' : '';
  return `bn-train setup${cuda}${version === VERSIONS[0] ? '' : ` --tensorflow ${version}`}`;
}

/** The libraries as they are named in TensorFlow's wheel. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

/** What the addon is compiled and run with, in a folder laid out like the wheel's `tensorflow`. */
const NEEDED = [...LIBRARIES, 'include/tensorflow/c/c_api.h'];

/** The first file that a folder lacks to be compiled against, or undefined where it is whole. */
export async function firstMissing(folder: string): Promise<string | undefined> {
  const there = await Promise.all(NEEDED.map((name) => exists(path.join(folder, name))));
  return NEEDED.find((_, i) => !there[i]);
}

/** The pinned builds for a platform that would do, the one to install first; on the CPU one with CUDA computes too. */
export function findBuilds(platform: string, { device, tensorflow }: Want): Build[] {
  const here = BUILDS.filter((build) => build.platform === platform && (tensorflow ?? build.version) === build.version);
  const exact = here.filter((build) => build.device === device);
  return device === 'cpu' ? [...exact, ...here.filter((build) => build.device === 'cuda')] : exact;
}

/** The pinned build for a platform ("linux-x64"). Throws a BnTrainError where there is none. */
export function buildFor(platform: string, want: Want = { device: 'cpu' }): Build {
  assertPinned(want.tensorflow);
  const [build] = findBuilds(platform, want);
  if (build) return build;
  const musl = platform.endsWith('-musl');
  const platforms = [...new Set(BUILDS.map((each) => each.platform))];
  throw cannot('install TensorFlow', {
    expected: `one of the platforms ${platforms.join(', ')}${musl ? ', with glibc' : ''}`,
    got: musl ? `${platform}: this Linux has another C library` : platform,
    hint: "use --backend wasm, which runs everywhere, or name a folder with TensorFlow's libraries: --runtime-dir DIR",
  });
}

/** Throws a BnTrainError for a version of TensorFlow that is not pinned. */
export function assertPinned(version: string | undefined): void {
  if (version === undefined || VERSIONS.includes(version)) return;
  throw cannot('use this TensorFlow', {
    expected: `one of the pinned versions ${VERSIONS.join(', ')}`,
    got: version,
    exitCode: EXIT.usage,
  });
}

/** "linux-x64"; "linux-x64-musl" where the C library is not glibc, which the pinned builds need. */
export function thisPlatform(): string {
  const platform = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' && !hasGlibc() ? `${platform}-musl` : platform;
}

function hasGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}
