/** What Python is asked for: pip's download of the pinned wheel, its unpacking, and a TensorFlow that is there already. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, type BnTrainError } from '../errors.js';
import { exists } from '../files.js';
import type { Listener } from '../progress.js';
import { type Build, LIBRARIES, TRIED_VERSIONS } from './builds.js';
import { lastLine, type Outcome, runCommand } from './command.js';

const PYTHON = 'python3';

/** A TensorFlow of a tried version, with libraries and headers, in the Python environment at hand. TensorFlow is not imported. */
export async function findPythonTensorflow(): Promise<{ version: string; libraries: string } | undefined> {
  const script = `
import importlib.metadata as m, json
for name in ("tensorflow", "tensorflow-cpu"):
    try: d = m.distribution(name)
    except m.PackageNotFoundError: continue
    print(json.dumps({"version": d.version, "libraries": str(d.locate_file("tensorflow"))}))
    break`;
  const outcome = await runCommand(PYTHON, ['-c', script]);
  if (!outcome || outcome.code !== 0 || outcome.stdout.trim() === '') return undefined;
  const found = JSON.parse(outcome.stdout) as { version: string; libraries: string };
  const whole = await Promise.all([...LIBRARIES, 'include'].map((name) => exists(path.join(found.libraries, name))));
  return TRIED_VERSIONS.includes(found.version) && whole.every(Boolean) ? found : undefined;
}

/** Downloads the wheel with pip, which checks the hash and knows the user's mirrors and proxies. Returns its path. */
export async function downloadWheel(build: Build, folder: string, listener: Listener, signal?: AbortSignal): Promise<string> {
  const [wheels, temporary] = [path.join(folder, 'wheel'), path.join(folder, 'tmp')];
  await Promise.all([mkdir(wheels), mkdir(temporary)]);
  const requirements = path.join(folder, 'requirements.txt');
  await writeFile(requirements, `${build.package}==${build.version} --hash=sha256:${build.sha256}\n`);
  const { python, platforms } = build.pip;
  const args = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '--no-deps', '--require-hashes'];
  args.push('--only-binary=:all:', '--implementation', 'cp', '--python-version', python);
  args.push(...platforms.flatMap((platform) => ['--platform', platform]), '-d', wheels, '-r', requirements);
  const label = `TensorFlow ${build.version}`;
  const watch = setInterval(() => {
    void largestFile(folder).then((done) => listener.progress({ label, done: Math.min(done, build.size), total: build.size }));
  }, 200);
  const outcome = await runCommand(PYTHON, args, { env: { TMPDIR: temporary }, signal }).finally(() => clearInterval(watch));
  if (!outcome || outcome.code !== 0) throw downloadFailure(build, outcome);
  const [name] = await readdir(wheels);
  const wheel = path.join(wheels, name ?? '');
  await assertHash(wheel, build);
  listener.progress({ label, done: build.size, total: build.size });
  return wheel;
}

async function largestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = entries.map((entry) => stat(path.join(folder, entry)).then((file) => (file.isFile() ? file.size : 0), () => 0));
  return Math.max(0, ...(await Promise.all(sizes)));
}

async function assertHash(wheel: string, build: Build): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(wheel)) hash.update(chunk as Buffer);
  const got = hash.digest('hex');
  if (got !== build.sha256) throw cannot('install TensorFlow', { expected: `a wheel with SHA-256 ${build.sha256}`, got });
}

/** Why pip could not fetch the wheel, by what it said. */
export function downloadFailure(build: Build, outcome: Outcome | undefined): BnTrainError {
  const wheel = `${build.package} ${build.version}`;
  const fail = (expected: string, got: string, hint: string) => cannot('install TensorFlow', { expected, got, hint });
  if (!outcome)
    return fail('Python 3, whose pip fetches it', 'no python3 on the PATH', 'apt-get install python3-pip, then: bn-train setup');
  const said = outcome.stderr;
  if (/No module named pip/.test(said))
    return fail('Python 3 with pip', 'Python without pip', 'apt-get install python3-pip, then: bn-train setup');
  if (/No space left on device/.test(said))
    return fail('about 1.6 GB of free disk', 'no space left on the device', 'free some space, or choose another cache with XDG_CACHE_HOME');
  if (/DO NOT MATCH THE HASHES/.test(said))
    return fail(`the ${wheel} wheel with SHA-256 ${build.sha256}`, 'another file from the package index', 'check which index pip uses: python3 -m pip config list');
  if (/Connection|connection|Temporary failure|Name or service|timed out|Max retries|Errno -[23]|IncompleteRead/.test(said))
    return fail('pip to reach its package index', lastError(said), 'check the connection and pip’s proxy and index, then: bn-train setup');
  return fail(`pip to download ${wheel}`, lastError(said) || `exit status ${outcome.code}`, 'the same command again may help: bn-train setup');
}

function lastError(said: string): string {
  const errors = said.split('\n').filter((line) => /ERROR|Error|WARNING/.test(line));
  return lastLine(errors.join('\n') || said).slice(0, 300);
}

/** Unpacks the two libraries and the headers that the addon needs into `folder`. */
export async function unpackWheel(wheel: string, folder: string, signal?: AbortSignal): Promise<void> {
  const script = `
import sys, zipfile
wheel, folder = sys.argv[1:]
headers = tuple("tensorflow/include/" + p for p in ("tensorflow/c/", "tensorflow/core/platform/", "tsl/", "xla/tsl/"))
with zipfile.ZipFile(wheel) as z:
    names = [n for n in z.namelist() if n in (${LIBRARIES.map((name) => `"tensorflow/${name}"`).join(', ')}) or n.startswith(headers)]
    z.extractall(folder, names)`;
  const outcome = await runCommand(PYTHON, ['-c', script, wheel, folder], { signal });
  if (outcome?.code === 0) return;
  const said = outcome?.stderr ?? '';
  throw cannot('unpack TensorFlow', {
    expected: 'room for about 1.2 GB',
    got: /No space left/.test(said) ? 'no space left on the device' : lastLine(said),
    hint: 'free some space, or choose another cache with XDG_CACHE_HOME',
  });
}
