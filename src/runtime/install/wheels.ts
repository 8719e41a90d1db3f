/** The pinned wheels: downloaded with pip, checked against their hashes, unpacked, and why that failed where it did. */
import { mkdir, readdir, stat, statfs, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { lastLine, type Outcome } from '../../common/command.js';
import { type BnTrainError, cannot } from '../../common/errors.js';
import { hashOf } from '../../common/files.js';
import { formatBytes } from '../../common/format.js';
import type { Watch } from '../../common/listener.js';
import { runPython } from './libraries.js';
import { type Build, FREE_SPACE, LIBRARIES, setupCommand, type Wheel } from './pins.js';

/** Bytes to download. */
export function downloadSize({ wheels }: Build): number {
  return wheels.reduce((sum, { size }) => sum + size, 0);
}

/** Downloads the wheels with pip, which checks hashes and knows the user's mirrors and proxies. Returns their paths. */
export async function downloadWheels(build: Build, folder: string, { listener, signal }: Watch): Promise<string[]> {
  await assertRoom(build, folder);
  const [wheels, temporary] = [path.join(folder, 'wheels'), path.join(folder, 'tmp')];
  await Promise.all([mkdir(wheels), mkdir(temporary)]);
  const requirements = path.join(folder, 'requirements.txt');
  const lines = build.wheels.map(({ name, version, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`);
  await writeFile(requirements, lines.join(''));
  const [label, total] = [`TensorFlow ${build.version}`, downloadSize(build)];
  const watch = setInterval(() => {
    void sizeOf(folder).then((done) => listener.progress({ label, done: Math.min(done, total - 1), total }));
  }, 200);
  const args = [...pipArguments(build), '-d', wheels, '-r', requirements];
  // Nothing gets installed, so pip need not insist on a virtual environment.
  const env = { TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: '0' };
  const outcome = await runPython(PIP, args, { env, signal }).finally(() => clearInterval(watch));
  if (!outcome || outcome.code !== 0) throw downloadFailure(build, outcome);
  const files = await Promise.all(build.wheels.map((wheel) => checkedFile(build, wheel, wheels, signal)));
  listener.progress({ label, done: total, total });
  return files;
}

const PIP = 'import runpy; sys.argv[0] = "pip"; runpy.run_module("pip", run_name="__main__", alter_sys=True)';

function pipArguments({ pip: { python, platforms } }: Build): string[] {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const only = ['--no-cache-dir', '--no-deps', '--require-hashes', '--only-binary=:all:'];
  const made = ['--implementation', 'cp', '--python-version', python];
  return ['download', ...quiet, ...only, ...made, ...platforms.flatMap((name) => ['--platform', name])];
}

/** Bytes that pip has so far; it copies a wheel from its temporary folder when it has them all. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const largest = new Map<string, number>();
  for (const entry of entries) {
    const file = await stat(path.join(folder, entry)).catch(() => undefined);
    const name = path.basename(entry);
    if (file?.isFile()) largest.set(name, Math.max(file.size, largest.get(name) ?? 0));
  }
  return [...largest.values()].reduce((sum, size) => sum + size, 0);
}

async function checkedFile(build: Build, wheel: Wheel, folder: string, signal?: AbortSignal): Promise<string> {
  const { name, version, sha256 } = wheel;
  const hint = lookAtIndex(build);
  const names = await readdir(folder);
  const found = names.find((each) => each.startsWith(`${name.replaceAll('-', '_')}-${version}-`));
  if (found === undefined) throw cannotInstall(`pip to leave the ${name} wheel`, names.join(', ') || 'nothing', hint);
  const got = await hashOf(path.join(folder, found), signal);
  if (got !== sha256) throw cannotInstall(`the ${name} wheel with SHA-256 ${sha256}`, got, hint);
  return path.join(folder, found);
}

const lookAtIndex = (build: Build) =>
  `${setupCommand(build)} tries again; if it stays, look which index pip uses: python3 -m pip config list`;

/** Disk that an install takes while it goes on: pip has its wheels twice for a moment, and unpacking takes them away. */
function diskNeeded(build: Build): number {
  return Math.max(2 * downloadSize(build), downloadSize(build) + build.disk);
}

/** Throws a BnTrainError where the wheels would not fit, before any of them is fetched. */
async function assertRoom(build: Build, folder: string): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder);
  // Some file systems over a network tell nothing.
  if (blocks > 0 && bavail * bsize < diskNeeded(build))
    throw noRoom(build, `${formatBytes(bavail * bsize)} in ${folder}`);
}

function noRoom(build: Build, got: string): BnTrainError {
  return cannotInstall(`about ${formatBytes(diskNeeded(build))} of free disk`, got, FREE_SPACE);
}

/** Why pip could not fetch the wheels, by what it said. */
function downloadFailure(build: Build, outcome: Outcome | undefined): BnTrainError {
  const again = setupCommand(build);
  const installPip = `apt-get install python3-pip, then: ${again}`;
  if (!outcome) return cannotInstall('Python 3, whose pip fetches it', 'no python3 on the PATH', installPip);
  const said = outcome.stderr;
  if (said.includes('No module named pip')) return cannotInstall('Python 3 with pip', 'Python without pip', installPip);
  if (said.includes('No space left on device')) return noRoom(build, 'no space left on the device');
  const { name, version, sha256 } = wheelSpokenOf(build, said);
  if (said.includes('DO NOT MATCH THE HASHES')) {
    const expected = `the ${name} ${version} wheel with SHA-256 ${sha256}`;
    return cannotInstall(expected, 'another file, or only a part of it, from the package index', lookAtIndex(build));
  }
  const connection = connectionProblem(said);
  if (connection !== undefined) {
    const hint = `check the connection and pip’s proxy and index, then: ${again}`;
    return cannotInstall('pip to reach its package index', connection, hint);
  }
  // Without retries, or where the index answers with errors, this is all that pip says.
  if (said.includes('No matching distribution')) {
    const expected = `${name} ${version} in the package index`;
    const hint = `check the connection, and which index pip uses: python3 -m pip config list, then: ${again}`;
    return cannotInstall(expected, 'an index without it, or none that answers', hint);
  }
  const got = lastError(said) || `exit status ${outcome.code}`;
  return cannotInstall(`pip to download ${name} ${version}`, got, `the same command again may help: ${again}`);
}

/** The wheel whose name pip's complaint has last; it names the file or the requirement. */
function wheelSpokenOf({ wheels }: Build, said: string): Wheel {
  const [first] = wheels as readonly [Wheel];
  const mentioned = ({ name, version, sha256 }: Wheel) =>
    Math.max(
      said.lastIndexOf(`${name}==${version}`),
      said.lastIndexOf(`${name.replaceAll('-', '_')}-${version}`),
      said.lastIndexOf(sha256),
    );
  return wheels.reduce((best, wheel) => (mentioned(wheel) > mentioned(best) ? wheel : best), first);
}

function cannotInstall(expected: string, got: string, hint: string): BnTrainError {
  return cannot('install TensorFlow', { expected, got, hint });
}

/** pip retries, says why in a warning, and ends with "No matching distribution found", which misleads. */
function connectionProblem(said: string): string | undefined {
  const sign = /connection|Temporary failure|Name or service|timed out|Max retries|IncompleteRead|not enough bytes/i;
  const line = said.split('\n').findLast((candidate) => sign.test(candidate));
  if (line === undefined) return undefined;
  const broken = /connection broken by '(.*)': /.exec(line)?.[1];
  return (broken ?? line)
    .replace(/^.*?object at 0x[0-9a-f]+>[:,] /, '')
    .replace(/["')]+$/, '')
    .trim()
    .slice(0, 300);
}

function lastError(said: string): string {
  const errors = said.split('\n').filter((line) => /ERROR|Error|WARNING/.test(line));
  return lastLine(errors.join('\n') || said).slice(0, 300);
}

/**
 * Unpacks into `folder` what the addon needs of a wheel: TensorFlow's two libraries and headers; NVIDIA's libraries,
 * the two files of its compiler that XLA uses, and the licence, whose folder tells the version.
 */
export async function unpackWheel(wheel: string, folder: string, signal?: AbortSignal): Promise<void> {
  const script = `
import re, zipfile
wheel, folder = sys.argv[1:]
wanted = re.compile(r"""tensorflow/(${LIBRARIES.map((name) => name.replaceAll('.', '\\.')).join('|')})$
    |tensorflow/include/(Eigen|absl|google|ml_dtypes|tensorflow/(c|core)|tsl|unsupported|xla/tsl)/
    |nvidia/\\w+/lib/[^/]+\\.so
    |nvidia/cuda_nvcc/(bin/ptxas$|nvvm/libdevice/)
    |nvidia_\\w+-[\\w.]+\\.dist-info/(License|METADATA)""", re.X)
with zipfile.ZipFile(wheel) as z:
    names = [n for n in z.namelist() if wanted.match(n)]
    z.extractall(folder, names)
    # zipfile forgets that it is a program.
    if "nvidia/cuda_nvcc/bin/ptxas" in names: os.chmod(os.path.join(folder, "nvidia/cuda_nvcc/bin/ptxas"), 0o755)`;
  const outcome = await runPython(script, [wheel, folder], { signal });
  if (outcome?.code === 0) return;
  const said = outcome?.stderr ?? '';
  throw cannot('unpack TensorFlow', {
    expected: 'a zip file, and room for what is in it',
    got: /No space left/.test(said) ? 'no space left on the device' : lastLine(said),
    hint: FREE_SPACE,
  });
}
