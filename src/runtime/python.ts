/** What Python is asked for: pip's download of the pinned wheel, its unpacking, and a TensorFlow that is there already. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, type BnTrainError } from '../errors.js';
import type { Listener } from '../progress.js';
import { type Build, firstMissing, LIBRARIES, TRIED_VERSIONS } from './builds.js';
import { type CommandOptions, lastLine, type Outcome, runCommand } from './command.js';

/** Runs a Python script; undefined where there is no python3. */
function runPython(script: string, args: string[], options: CommandOptions = {}): Promise<Outcome | undefined> {
  // Python looks in the working directory first, where a stray json.py would be run for Python's own.
  const safe = 'import os, sys; sys.path[:] = [at for at in sys.path if at not in ("", os.getcwd())]';
  return runCommand('python3', ['-c', `${safe}\n${script}`, ...args], options);
}

interface PythonTensorflow {
  version: string;
  libraries: string;
}

/** A TensorFlow of a tried version, with libraries and headers, in the Python environment at hand. TensorFlow is not imported. */
export async function findPythonTensorflow(): Promise<PythonTensorflow | undefined> {
  const script = `
import importlib.metadata as m, json
for name in ("tensorflow", "tensorflow-cpu"):
    try: d = m.distribution(name)
    except m.PackageNotFoundError: continue
    print(json.dumps({"version": d.version, "libraries": str(d.locate_file("tensorflow"))}))`;
  const outcome = await runPython(script, []);
  for (const found of (outcome?.stdout ?? '').split('\n').map(parseFound))
    if (found && TRIED_VERSIONS.includes(found.version) && !(await firstMissing(found.libraries))) return found;
  return undefined;
}

/** Undefined for a line of something else: start-up files may print too. */
function parseFound(line: string): PythonTensorflow | undefined {
  try {
    const found = JSON.parse(line) as Partial<PythonTensorflow> | null;
    const whole = typeof found?.version === 'string' && typeof found.libraries === 'string';
    return whole ? (found as PythonTensorflow) : undefined;
  } catch {
    return undefined;
  }
}

/** Downloads the wheel with pip, which checks the hash and knows the user's mirrors and proxies. Returns its path. */
export async function downloadWheel(
  build: Build,
  folder: string,
  listener: Listener,
  signal?: AbortSignal,
): Promise<string> {
  const [wheels, temporary] = [path.join(folder, 'wheel'), path.join(folder, 'tmp')];
  await Promise.all([mkdir(wheels), mkdir(temporary)]);
  const requirements = path.join(folder, 'requirements.txt');
  await writeFile(requirements, `${build.package}==${build.version} --hash=sha256:${build.sha256}\n`);
  const label = `TensorFlow ${build.version}`;
  const watch = setInterval(() => {
    void largestFile(folder).then((done) =>
      listener.progress({ label, done: Math.min(done, build.size - 1), total: build.size }),
    );
  }, 200);
  const args = [...pipArguments(build), '-d', wheels, '-r', requirements];
  // Nothing gets installed, so pip need not insist on a virtual environment.
  const env = { TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: '0' };
  const outcome = await runPython(PIP, args, { env, signal }).finally(() => clearInterval(watch));
  if (!outcome || outcome.code !== 0) throw downloadFailure(build, outcome);
  const [name] = await readdir(wheels);
  if (name === undefined) throw cannotInstall(`pip to leave the ${build.package} wheel`, 'nothing', OTHER_INDEX);
  const wheel = path.join(wheels, name);
  await assertHash(wheel, build);
  listener.progress({ label, done: build.size, total: build.size });
  return wheel;
}

const PIP = 'import runpy; sys.argv[0] = "pip"; runpy.run_module("pip", run_name="__main__", alter_sys=True)';

function pipArguments({ pip: { python, platforms } }: Build): string[] {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const only = ['--no-cache-dir', '--no-deps', '--require-hashes', '--only-binary=:all:'];
  const made = ['--implementation', 'cp', '--python-version', python];
  return ['download', ...quiet, ...only, ...made, ...platforms.flatMap((name) => ['--platform', name])];
}

async function largestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = entries.map((entry) =>
    stat(path.join(folder, entry)).then(
      (file) => (file.isFile() ? file.size : 0),
      () => 0,
    ),
  );
  return Math.max(0, ...(await Promise.all(sizes)));
}

async function assertHash(wheel: string, build: Build): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(wheel)) hash.update(chunk as Buffer);
  const got = hash.digest('hex');
  if (got !== build.sha256) throw cannotInstall(`a wheel with SHA-256 ${build.sha256}`, got, OTHER_INDEX);
}

const OTHER_INDEX = 'bn-train setup tries again; if it stays, look which index pip uses: python3 -m pip config list';
const INSTALL_PIP = 'apt-get install python3-pip, then: bn-train setup';
const FREE_SPACE = 'free some space, or choose another cache with XDG_CACHE_HOME';
const CHECK_INDEX = 'check the connection, and which index pip uses: python3 -m pip config list, then: bn-train setup';
const CHECK_CONNECTION = 'check the connection and pip’s proxy and index, then: bn-train setup';

/** Why pip could not fetch the wheel, by what it said. */
export function downloadFailure(build: Build, outcome: Outcome | undefined): BnTrainError {
  const wheel = `${build.package} ${build.version}`;
  if (!outcome) return cannotInstall('Python 3, whose pip fetches it', 'no python3 on the PATH', INSTALL_PIP);
  const said = outcome.stderr;
  if (said.includes('No module named pip'))
    return cannotInstall('Python 3 with pip', 'Python without pip', INSTALL_PIP);
  if (said.includes('No space left on device'))
    return cannotInstall('about 1.6 GB of free disk', 'no space left on the device', FREE_SPACE);
  if (said.includes('DO NOT MATCH THE HASHES')) {
    const expected = `the ${wheel} wheel with SHA-256 ${build.sha256}`;
    return cannotInstall(expected, 'another file, or only a part of it, from the package index', OTHER_INDEX);
  }
  const connection = connectionProblem(said);
  if (connection !== undefined) return cannotInstall('pip to reach its package index', connection, CHECK_CONNECTION);
  // Without retries, or where the index answers with errors, this is all that pip says.
  if (said.includes('No matching distribution'))
    return cannotInstall(`${wheel} in the package index`, 'an index without it, or none that answers', CHECK_INDEX);
  const got = lastError(said) || `exit status ${outcome.code}`;
  return cannotInstall(`pip to download ${wheel}`, got, 'the same command again may help: bn-train setup');
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

/** Unpacks the two libraries and the headers that the addon needs into `folder`. */
export async function unpackWheel(wheel: string, folder: string, signal?: AbortSignal): Promise<void> {
  const script = `
import zipfile
wheel, folder = sys.argv[1:]
headers = tuple("tensorflow/include/" + p for p in ("tensorflow/c/", "tensorflow/core/platform/", "tsl/", "xla/tsl/"))
with zipfile.ZipFile(wheel) as z:
    names = [n for n in z.namelist() if n in (${LIBRARIES.map((name) => `"tensorflow/${name}"`).join(', ')}) or n.startswith(headers)]
    z.extractall(folder, names)`;
  const outcome = await runPython(script, [wheel, folder], { signal });
  if (outcome?.code === 0) return;
  const said = outcome?.stderr ?? '';
  throw cannot('unpack TensorFlow', {
    expected: 'a zip file and room for about 1.2 GB',
    got: /No space left/.test(said) ? 'no space left on the device' : lastLine(said),
    hint: FREE_SPACE,
  });
}
