/** Hostile archives: whatever names and links they hold, nothing is written outside, and nothing of them is run. */
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchInto } from '../../src/data/fetch.js';
import { silent } from '../../src/common/listener.js';
import { unpackWheel } from '../../src/runtime/install/wheels.js';
import { makePayload } from '../data/payload.js';
import { amount } from '../support/amount.js';
import { deb, type Member, zip } from '../support/archives.js';
import { outcomeLater, wellPut } from '../support/fuzz.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-archives-'));
const outside = path.join(work, 'outside');
// So deep that no name of the tests leads out of `work`, where it would be noticed.
const inside = path.join(work, 'a/b/c/d/e/f/g/h/inside');
const PATH = process.env['PATH'] ?? '';

beforeEach(() => {
  mkdirSync(path.join(work, 'bin'), { recursive: true });
  mkdirSync(outside, { recursive: true });
  mkdirSync(path.dirname(inside), { recursive: true });
  writeFileSync(path.join(outside, 'victim'), 'untouched');
  // Instead of the network: a package in the working directory, as apt-get leaves it.
  writeFileSync(path.join(work, 'bin/apt-get'), `#!/bin/sh\ncp '${path.join(work, 'hostile.deb')}' .\n`, {
    mode: 0o755,
  });
  process.env['PATH'] = `${path.join(work, 'bin')}:${PATH}`;
});
afterEach(async () => {
  process.env['PATH'] = PATH;
  for (const name of readdirSync(work)) await rm(path.join(work, name), { recursive: true });
});
afterAll(() => rm(work, { recursive: true }));

/** Every file below `work` but those that unpacking may write: name, kind and content. */
function everythingOutside(): string[] {
  return readdirSync(work, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(work, name))
    .filter((name) => !name.startsWith(inside) && !name.endsWith('hostile.deb') && !name.endsWith('hostile.whl'))
    .map((name) => `${name} ${lstatSync(name).isFile() ? readFileSync(name, 'latin1') : lstatSync(name).mode}`)
    .sort();
}

const payload = makePayload(2, 1);
const FOLDER = 'usr/share/data';
const SOURCE = { kind: 'debian', package: 'hostile', folder: FOLDER } as const;
const data = (change: Partial<Member> = {}): Member[] =>
  [...payload.files].map(([name, content]) => ({ name: `./${FOLDER}/${name}`, content, ...change }));

async function fetchFrom(members: Member[], scripts: Member[] = []) {
  writeFileSync(path.join(work, 'hostile.deb'), deb(members, scripts));
  const before = everythingOutside();
  const outcome = await outcomeLater('hostile', () =>
    fetchInto(inside, payload.manifest([SOURCE]), { listener: silent }),
  );
  expect(everythingOutside()).toEqual(before);
  expect(readdirSync(inside).filter((name) => !payload.files.has(name))).toEqual([]);
  return outcome;
}

/** From wherever something is unpacked to `outside`. */
const UP = `${'../'.repeat(14)}${outside.slice(1)}/`;

describe('a Debian package', () => {
  it('gives its data, and its scripts are not run', async () => {
    const content = `#!/bin/sh\ntouch '${outside}/ran'\n`;
    const scripts = ['preinst', 'postinst', 'prerm', 'config'].map((name) => ({ name: `./${name}`, content }));
    expect(await fetchFrom(data(), scripts)).toEqual({ value: undefined });
    expect(readdirSync(inside).sort()).toEqual([...payload.files.keys()].sort());
  });

  it.each<{ name: string; members: Member[] }>([
    {
      name: 'names that lead up',
      members: [
        { name: '../evil', content: 'x' },
        { name: `${UP}evil`, content: 'x' },
      ],
    },
    {
      name: 'names from the root',
      members: [
        { name: `${outside}/evil`, content: 'x' },
        { name: `${outside}/victim`, content: 'x' },
      ],
    },
    {
      name: 'a link out and a file through it',
      members: [
        { name: './link', link: outside },
        { name: './link/victim', content: 'x' },
      ],
    },
    {
      name: 'a link up and a file through it',
      members: [
        { name: './link', link: '../../..' },
        { name: './link/evil', content: 'x' },
      ],
    },
    {
      name: 'a hard link out and a file over it',
      members: [
        { name: './hard', link: `${outside}/victim`, hard: true },
        { name: './hard', content: 'x' },
      ],
    },
    {
      name: 'its folder as a link out',
      members: [{ name: './usr', link: outside }, { name: './usr/share', link: outside }, ...data({ content: 'x' })],
    },
  ])('with $name writes nothing outside, and is an error', async ({ members }) => {
    const outcome = await fetchFrom(members);
    expect('error' in outcome && outcome.error.message).toMatch(
      /^Cannot get Fashion-MNIST: .*the Debian package hostile: Cannot /,
    );
    expect(readdirSync(inside)).toEqual([]);
  });

  it('whose files are links gives what they lead to only where that is the data', async () => {
    for (const [name, content] of payload.files) writeFileSync(path.join(outside, name), content);
    const links = (target: (name: string) => string) =>
      [...payload.files.keys()].map((name) => ({ name: `./${FOLDER}/${name}`, link: target(name) }));
    for (const target of ['/dev/zero', path.join(outside, 'victim'), outside])
      expect(await fetchFrom(links(() => target))).toHaveProperty('error');
    expect(await fetchFrom(links((name) => path.join(outside, name)))).toHaveProperty('value');
  });

  it('that is none is an error with dpkg-deb’s words', async () => {
    writeFileSync(path.join(work, 'hostile.deb'), 'no package');
    const error: unknown = await fetchInto(inside, payload.manifest([SOURCE]), { listener: silent }).catch(
      (thrown: unknown) => thrown,
    );
    expect(wellPut(error, 'hostile').message).toMatch(
      /Cannot download the Debian package hostile: expected dpkg-deb to work, got dpkg-deb: error: /,
    );
  });
});

const plain = fc.constantFrom('.', '', 'a', 'b', 'tensorflow', 'include', 'tsl', 'usr', 'share', 'C:', '..\\..', '...');
const down = fc.array(plain, { minLength: 1, maxLength: 4 });
const anywhere = fc.array(fc.oneof(plain, fc.constant('..')), { minLength: 1, maxLength: 8 });
const names = fc
  .oneof(
    fc.tuple(fc.constantFrom('', './', '../', 'tensorflow/include/tsl/', 'tensorflow/include/tensorflow/c/'), anywhere),
    fc.tuple(fc.constantFrom(UP, `${outside}/`), down),
  )
  .map(([start, pieces]) => (start + pieces.join('/')).slice(0, 99));
const member: fc.Arbitrary<Member> = fc.oneof(
  { weight: 3, arbitrary: names.map((name) => ({ name, content: 'x' })) },
  { weight: 1, arbitrary: fc.record({ name: names, link: fc.oneof(names, fc.constant(outside)), hard: fc.boolean() }) },
);

it('packages of any names and links write nothing outside', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(member, { minLength: 10, maxLength: 40 }), async (members) => {
      await fetchFrom(members);
    }),
    { numRuns: amount(25, 5) },
  );
});

describe('a wheel', () => {
  const wheel = path.join(work, 'hostile.whl');
  async function unpack(members: Member[]) {
    writeFileSync(wheel, zip(members));
    mkdirSync(inside, { recursive: true });
    const before = everythingOutside();
    const outcome = await unpackWheel(wheel, inside).then(
      () => 'unpacked',
      (error: unknown) => wellPut(error, 'TensorFlow').message,
    );
    expect(everythingOutside()).toEqual(before);
    return outcome;
  }
  const list = () =>
    execFileSync('find', ['.', '-type', 'f'], { cwd: inside, encoding: 'utf8' }).trim().split('\n').sort();

  it('gives the libraries and the headers, and nothing else', async () => {
    const wanted = [
      'tensorflow/libtensorflow_cc.so.2',
      'tensorflow/libtensorflow_framework.so.2',
      'tensorflow/include/tsl/a.h',
      'nvidia/cudnn/lib/libcudnn.so.9',
      'nvidia/cuda_nvcc/bin/ptxas',
      'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc',
      'nvidia_cudnn_cu12-9.3.0.75.dist-info/License.txt',
    ];
    const other = ['nvidia/cudnn/include/cudnn.h', 'nvidia/cuda_nvcc/bin/nvcc', 'nvidia/cudnn/lib/__init__.py'];
    const more = [
      ...other,
      'tensorflow/__init__.py',
      'evil.pth',
      'tensorflow/libother.so',
      'tensorflow_cpu-1.data/scripts/x',
    ];
    expect(await unpack([...wanted, ...more].map((name) => ({ name, content: 'x' })))).toBe('unpacked');
    expect(list()).toEqual(wanted.map((name) => `./${name}`).sort());
  });

  it('with names that lead up or out, and links, writes nothing outside', async () => {
    const start = 'tensorflow/include/tsl/';
    await unpack([
      { name: `${start}${UP}evil`, content: 'x' },
      { name: `${start}../../../../evil`, content: 'x' },
      { name: `${start}/${outside}/victim`, content: 'x' },
      { name: `${start}..\\..\\evil`, content: 'x' },
      { name: `${outside}/evil`, content: 'x' },
      { name: '../evil', content: 'x' },
      { name: `${start}link`, link: outside },
    ]);
    expect(
      await unpack([
        { name: `${start}link`, link: outside },
        { name: `${start}link/victim`, content: 'x' },
      ]),
    ).toMatch(/^Cannot unpack TensorFlow: expected a zip file, and room for what is in it, got \w+Error: /);
  });

  it('of any names and links writes nothing outside', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(member, { minLength: 20, maxLength: 80 }), async (members) => {
        await unpack(members);
      }),
      { numRuns: amount(12, 3) },
    );
  });

  it('that is none is an error', async () => {
    writeFileSync(wheel, 'no wheel');
    mkdirSync(inside, { recursive: true });
    await expect(unpackWheel(wheel, inside)).rejects.toThrow(
      'Cannot unpack TensorFlow: expected a zip file, and room for what is in it, got zipfile.BadZipFile: File is not a zip file',
    );
  });
});
