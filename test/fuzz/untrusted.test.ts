/** A hostile package index: a wheel of another hash is neither unpacked nor built against, and nothing of the index is ever run. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildFor, LIBRARIES, thisPlatform } from '../../src/runtime/install/pins.js';
import { downloadWheels } from '../../src/runtime/install/wheels.js';
import { silent } from '../../src/common/listener.js';
import { freshMachine } from '../runtime/index.js';
import { tar, zip } from '../support/archives.js';
import { runProgram } from '../support/program.js';
import { type Server, startServer } from '../support/server.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-untrusted-'));
const bin = path.join(work, 'bin');
const library = path.join(work, 'library.so');
const setupScript = path.join(work, 'setup.py');
/** Whatever of the index gets to run makes this file. */
const trap = path.join(work, 'trap');
const build = buildFor(thisPlatform());
const sha256 = build.wheels[0]?.sha256 ?? '';
const name = `tensorflow_cpu-${build.version}`;
const wheelName = `${name}-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`;
let index: Server;
let env: Record<string, string | undefined>;

beforeAll(async () => {
  mkdirSync(bin);
  for (const compiler of ['c++', 'g++', 'clang++'])
    writeFileSync(path.join(bin, compiler), `#!/bin/sh\ntouch '${trap}'\n`, { mode: 0o755 });
  const code = `#include <stdio.h>\n__attribute__((constructor)) static void spring(void) { fclose(fopen("${trap}", "w")); }`;
  execFileSync('cc', ['-x', 'c', '-', '-shared', '-fPIC', '-o', library], { input: code });
  const python = `open(${JSON.stringify(trap)}, "w").close()\n`;
  writeFileSync(setupScript, python);
  const text = `Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: ${build.version}\n`;
  const wheel = zip([
    ...LIBRARIES.map((file) => ({ name: `tensorflow/${file}`, content: readFileSync(library) })),
    { name: 'tensorflow/include/tensorflow/c/c_api.h', content: '' },
    { name: 'tensorflow/__init__.py', content: python },
    { name: 'trap.pth', content: `import os; ${python}` },
    { name: `${name}.dist-info/METADATA`, content: text },
    {
      name: `${name}.dist-info/WHEEL`,
      content: 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux2014_x86_64\n',
    },
    { name: `${name}.dist-info/RECORD`, content: '' },
  ]);
  const source = gzipSync(
    tar([
      { name: `${name}/setup.py`, content: python },
      { name: `${name}/PKG-INFO`, content: text },
    ]),
  );
  const files: Record<string, Uint8Array> = {
    [wheelName]: wheel,
    // pip prefers a higher build number.
    [wheelName.replace('-cp311', '-9-cp311')]: wheel,
    [`${name}.tar.gz`]: source,
  };
  index = await startServer(({ path: asked }) => {
    const file = files[path.basename(asked)];
    if (file) return { body: file };
    const links = Object.keys(files).map((file) => `<a href="/files/${file}#sha256=${sha256}">${file}</a>`);
    return { headers: { 'content-type': 'text/html' }, body: links.join('<br>') };
  });
  env = { ...(await freshMachine(index.url)), PATH: `${bin}:${process.env['PATH'] ?? ''}` };
});
beforeEach(() => rmSync(trap, { force: true }));
afterAll(async () => {
  await index.close();
  await rm(work, { recursive: true });
  await rm(env['HOME'] ?? '', { recursive: true });
});

test.each([
  ['the library, loaded', () => execFileSync('python3', ['-c', `import ctypes; ctypes.CDLL("${library}")`])],
  ['the source package’s script, run', () => execFileSync('python3', [setupScript])],
  ['the compiler, called', () => execFileSync(path.join(bin, 'c++'), ['--version'])],
])('the trap works: %s', (_, run) => {
  run();
  expect(existsSync(trap)).toBe(true);
});

test('a wheel of another hash ends the set-up before anything is made of it', async () => {
  const { code, stdout, stderr } = await runProgram(['setup'], { env });
  expect(stderr).toContain(
    `Cannot install TensorFlow: expected the tensorflow-cpu ${build.version} wheel with SHA-256 ${sha256}, got another file, or only a part of it, from the package index`,
  );
  expect(stderr).not.toMatch(/unpacking|building|proving/);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(index.requests.some(({ path: asked }) => asked.endsWith('.whl'))).toBe(true);
  expect(existsSync(trap)).toBe(false);
  expect(readdirSync(path.join(env['XDG_CACHE_HOME'] ?? '', 'bn-train/runtime'))).toEqual([]);
});

test.each([
  [
    'another wheel',
    `echo wrong > "$2/${wheelName}"`,
    `the tensorflow-cpu wheel with SHA-256 ${sha256}, got ${createHash('sha256').update('wrong\n').digest('hex')}`,
  ],
  ['no wheel', '', 'pip to leave the tensorflow-cpu wheel, got nothing'],
])('a pip that leaves %s and is content is not believed', async (what, leave, words) => {
  const folder = mkdtempSync(path.join(work, 'pip-'));
  writeFileSync(path.join(folder, 'python3'), `#!/bin/sh\nwhile [ "$1" != -d ]; do shift; done\n${leave}\n`, {
    mode: 0o755,
  });
  const PATH = process.env['PATH'] ?? '';
  process.env['PATH'] = `${folder}:${PATH}`;
  try {
    await expect(downloadWheels(build, folder, { listener: silent }), what).rejects.toThrow(
      `Cannot install TensorFlow: expected ${words}`,
    );
  } finally {
    process.env['PATH'] = PATH;
  }
});
