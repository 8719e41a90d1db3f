/** The pinned builds of TensorFlow: what is fetched where the machine has none, known by size and hash. */
import * as path from 'node:path';
import { cannot } from '../errors.js';
import { exists } from '../files.js';

export interface Build {
  package: string;
  version: string;
  /** Of the wheel. */
  size: number;
  sha256: string;
  /** pip's words for the wheel; which Python it was made for does not matter, as only its C++ libraries are used. */
  pip: { python: string; platforms: string[] };
}

const BUILDS: Record<string, Build> = {
  'linux-x64': {
    package: 'tensorflow-cpu',
    version: '2.18.1',
    size: 230_236_181,
    sha256: '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
    pip: { python: '3.11', platforms: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'] },
  },
};

/** TensorFlow versions that the addon was built against and tried with. */
export const TRIED_VERSIONS = ['2.18.1', '2.21.0'];

/** The libraries as they are named in TensorFlow's wheel. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

/** What the addon is compiled and run with, in a folder laid out like the wheel's `tensorflow`. */
const NEEDED = [...LIBRARIES, 'include/tensorflow/c/c_api.h'];

/** The first file that a folder lacks to be compiled against, or undefined where it is whole. */
export async function firstMissing(folder: string): Promise<string | undefined> {
  const there = await Promise.all(NEEDED.map((name) => exists(path.join(folder, name))));
  return NEEDED.find((_, i) => !there[i]);
}

/** The pinned build for a platform, or undefined where there is none. */
export function findBuild(platform: string): Build | undefined {
  return BUILDS[platform];
}

/** The pinned build for a platform ("linux-x64"). Throws a BnTrainError where there is none. */
export function buildFor(platform: string): Build {
  const build = findBuild(platform);
  if (build) return build;
  const musl = platform.endsWith('-musl');
  throw cannot('install TensorFlow', {
    expected: `one of the platforms ${Object.keys(BUILDS).join(', ')}${musl ? ', with glibc' : ''}`,
    got: musl ? `${platform}: this Linux has another C library` : platform,
    hint: "use --backend wasm, which runs everywhere, or name a folder with TensorFlow's libraries: --runtime-dir DIR",
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
