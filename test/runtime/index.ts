/** A loopback package index with the real wheel, and the environment of a machine on which nothing was installed. */
import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { buildFor, thisPlatform } from '../../src/runtime/install/pins.js';
import { type Result, root, start } from '../support/program.js';
import { type Reply, type Server, startServer } from '../support/server.js';

const run = promisify(execFile);

/** Fetched by ordinary pip, once. Returns the wheel's path. */
export async function fetchWheel(folder: string): Promise<string> {
  const { wheels, version, pip } = buildFor(thisPlatform());
  const platforms = pip.platforms.flatMap((platform) => ['--platform', platform]);
  const made = ['--only-binary=:all:', '--implementation', 'cp', '--python-version', pip.python, ...platforms];
  await run('python3', [
    '-m',
    'pip',
    'download',
    '-q',
    '--no-deps',
    ...made,
    '-d',
    folder,
    `${wheels[0]?.name ?? ''}==${version}`,
  ]);
  return path.join(folder, (await readdir(folder)).find((file) => file.endsWith('.whl')) ?? '');
}

/** An index whose one wheel is answered by `reply`. */
export function startIndex(wheel: string, reply: () => Reply): Promise<Server> {
  const name = path.basename(wheel);
  return startServer(({ path: asked }) => {
    if (asked === '/simple/tensorflow-cpu/')
      return { headers: { 'content-type': 'text/html' }, body: `<a href="/files/${name}">${name}</a>` };
    return asked === `/files/${name}` ? reply() : { status: 404 };
  });
}

/** An environment with an empty home and cache, and pip pointed at `url` only. */
export async function freshMachine(url: string): Promise<Record<string, string | undefined>> {
  const home = await mkdtemp(path.join(tmpdir(), 'bn-train-home-'));
  const site = path.join(home, 'site');
  for (const name of ['tensorflow', 'tensorflow_cpu']) await addDistribution(site, name, '1.0.0');
  const pip = Object.keys(process.env).filter((name) => name.startsWith('PIP_'));
  return {
    ...Object.fromEntries(pip.map((name) => [name, undefined])),
    HOME: home,
    XDG_CACHE_HOME: path.join(home, 'cache'),
    PYENV_ROOT: process.env['PYENV_ROOT'] ?? path.join(process.env['HOME'] ?? '', '.pyenv'),
    // Hides a TensorFlow that this machine's Python may have.
    PYTHONPATH: site,
    PIP_CONFIG_FILE: '/dev/null',
    PIP_INDEX_URL: `${url}/simple`,
    NO_PROXY: '127.0.0.1',
    no_proxy: '127.0.0.1',
    CXX: undefined,
    BN_TRAIN_RUNTIME_DIR: undefined,
  };
}

/** A Python distribution as far as its metadata go. */
export async function addDistribution(site: string, name: string, version: string): Promise<void> {
  const folder = path.join(site, `${name}-${version}.dist-info`);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`);
}

/** A PATH of one folder with just these programs. */
export async function pathOf(programs: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bn-train-path-'));
  for (const [name, target] of Object.entries(programs)) await symlink(target, path.join(folder, name));
  return folder;
}

/** The real interpreter: what python3 is on the PATH may be a wrapper. */
export async function pythonItself(): Promise<string> {
  return (await run('python3', ['-c', 'import sys; print(sys.executable)'])).stdout.trim();
}

/** Trains one step on the native backend in a process of its own; prints the loss before and after. */
export async function trainOneStep(env: Record<string, string | undefined>, node = process.execPath): Promise<Result> {
  const script = `
import * as tf from '@tensorflow/tfjs';
import { openBackend } from './dist/index.js';
await openBackend('native');
const x = tf.tensor2d([[1, 2], [3, 4]]);
const w = tf.variable(tf.ones([2, 1]));
const loss = () => tf.losses.meanSquaredError(tf.zeros([2, 1]), x.matMul(w));
const before = loss().dataSync()[0];
tf.train.sgd(0.01).minimize(loss);
console.log(JSON.stringify([tf.getBackend(), before, loss().dataSync()[0]]));`;
  return start(node, ['--input-type=module', '-e', script], { cwd: root, env }).result;
}
