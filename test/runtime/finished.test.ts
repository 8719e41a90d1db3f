/** Nothing is loaded but what was proved: who may have changed a runtime's files, and what is in them. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { silent } from '../../src/common/listener.js';
import { tryLock } from '../../src/common/lock.js';
import { addonIn, markFinished, readFinished } from '../../src/runtime/install/finished.js';
import { installBuild } from '../../src/runtime/install/install.js';
import { buildFor, LIBRARIES, thisPlatform } from '../../src/runtime/install/pins.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-finished-'));
afterAll(() => rm(work, { recursive: true }));

const facts = { source: 'wheel', tensorflow: '2.18.1', compiler: 'c++ 12', tfjs: '4.22.0' } as const;
let number = 0;
let folder: string;
let libraries: string;
let marker: string;

interface Marker {
  files: Record<string, { size: number; modified: number; changed: number; sha256: string }>;
}
const readMarker = () => JSON.parse(readFileSync(marker, 'utf8')) as Marker;
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');

/** A finished runtime of small files; a linked one has its libraries elsewhere. */
async function make(kind: 'own' | 'linked'): Promise<void> {
  const cache = path.join(work, `${number++}`);
  folder = path.join(cache, 'runtime/it');
  libraries = kind === 'own' ? path.join(folder, 'tensorflow') : path.join(work, `elsewhere-${number}`, 'tensorflow');
  marker = path.join(folder, 'runtime.json');
  for (const each of [folder, libraries]) mkdirSync(each, { recursive: true });
  writeFileSync(addonIn(folder), 'the addon');
  for (const name of LIBRARIES) writeFileSync(path.join(libraries, name), `the library ${name}`);
  await markFinished(folder, { ...facts, libraries: kind === 'own' ? '$ORIGIN/tensorflow' : libraries });
}

/** Other content of the same length, with the time of modification that the file had. */
function replace(file: string, content: Buffer): void {
  const { mtime, atime } = statSync(file);
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
  utimesSync(file, atime, mtime);
}

const flipped = (bytes: Buffer) => {
  const changed = Buffer.from(bytes);
  changed[3] = (changed[3] ?? 0) ^ 1;
  return changed;
};

describe.each(['own', 'linked'] as const)('a runtime with libraries of the kind %s', (kind) => {
  beforeEach(() => make(kind));

  it('is finished as long as it is as it was', async () => {
    const loaded = [addonIn(folder), ...LIBRARIES.map((name) => path.join(libraries, name))];
    for (const content of [false, true])
      expect(await readFinished(folder, { content })).toEqual({
        ...facts,
        libraries,
        addon: addonIn(folder),
        files: loaded,
      });
  });

  const changes: [string, (bytes: Buffer) => Buffer][] = [
    ['replaced by others of the same length', (bytes) => Buffer.from('x'.repeat(bytes.length))],
    ['with a flipped bit', flipped],
    ['of zeros', (bytes) => Buffer.alloc(bytes.length)],
  ];
  it.each(changes)('with files %s is refused, each by its name', async (_, change) => {
    for (const file of [addonIn(folder), ...LIBRARIES.map((name) => path.join(libraries, name))]) {
      const before = readFileSync(file);
      replace(file, change(before));
      await expect(readFinished(folder)).rejects.toMatchObject({
        message: `Cannot use the native runtime: expected ${file} as it was proved to work, with SHA-256 ${sha256(String(before))}, got ${sha256(change(before).toString('latin1'))}`,
        hint: `rm -r '${folder}' && bn-train setup`,
        exitCode: 1,
      });
      replace(file, before);
      expect(await readFinished(folder)).toBeDefined();
    }
  });

  it('whose content changed behind its times is refused where content is looked at', async () => {
    const { files } = readMarker();
    const [first = ''] = Object.keys(files);
    files[first] = { ...files[first], sha256: sha256('another addon') } as Marker['files'][string];
    writeFileSync(marker, JSON.stringify({ ...readMarker(), files }));
    // Times, size and owner are as they were, so a start does not read the file.
    expect(await readFinished(folder)).toBeDefined();
    await expect(readFinished(folder, { content: true })).rejects.toThrow(`got ${sha256('the addon')}`);
  });

  it('that is only touched is hashed, and its new times are kept unless another process is at work on it', async () => {
    const file = path.join(libraries, LIBRARIES[1]);
    utimesSync(file, 1, 1);
    const lock = await tryLock(`${folder}.lock`);
    if (!('release' in lock)) throw new Error('expected it to be had');
    expect(await readFinished(folder)).toBeDefined();
    const timesOf = () => Object.values(readMarker().files).map(({ modified }) => modified);
    expect(timesOf()).not.toContain(1000);
    await lock.release();
    expect(await readFinished(folder)).toBeDefined();
    expect(timesOf()).toContain(1000);
    expect(readdirSync(path.dirname(folder))).toEqual(['it']);
  });

  it('whose file others have linked to is none the worse', async () => {
    linkSync(addonIn(folder), path.join(work, `link-${number}`));
    expect(await readFinished(folder)).toBeDefined();
  });

  it('with a file of another size is not finished', async () => {
    writeFileSync(path.join(libraries, LIBRARIES[0]), 'cut');
    expect(await readFinished(folder)).toBeUndefined();
  });

  it('of a version before, which kept sizes alone, is taken as it is, once', async () => {
    const { files, ...rest } = readMarker();
    const sizes = Object.values(files).map(({ size }) => size);
    writeFileSync(marker, JSON.stringify({ ...rest, sizes: [...sizes.slice(0, 2), 1] }));
    expect(await readFinished(folder)).toBeUndefined();
    writeFileSync(marker, JSON.stringify({ ...rest, sizes }));
    expect(await readFinished(folder)).toBeDefined();
    expect(readMarker().files).toEqual(files);
    await rm(addonIn(folder));
    writeFileSync(marker, JSON.stringify({ ...rest, sizes }));
    expect(await readFinished(folder)).toBeUndefined();
  });

  it.each<{ what: string; place: () => string; change: (place: string) => void; got: string; mend: string }>([
    ...[
      { what: 'its folder', place: () => folder },
      { what: 'the folder of all', place: () => path.dirname(folder) },
      { what: 'the cache', place: () => path.dirname(path.dirname(folder)) },
      { what: 'the folder of the libraries', place: () => libraries },
      { what: 'the marker', place: () => marker },
      { what: 'the addon', place: () => addonIn(folder) },
      { what: 'a library', place: () => path.join(libraries, LIBRARIES[1]) },
    ].flatMap(({ what, place }) => [
      {
        what: `${what} open to everyone`,
        place,
        change: (at: string) => chmodSync(at, 0o777),
        got: 'one that everyone may write to',
        mend: 'chmod o-w',
      },
      {
        what: `${what} open to a foreign group`,
        place,
        change: (at: string) => {
          chownSync(at, 0, 12345);
          chmodSync(at, 0o775);
        },
        got: 'one that the group 12345 may write to',
        mend: 'chmod g-w',
      },
      {
        what: `${what} of another user`,
        place,
        change: (at: string) => chownSync(at, 12345, 0),
        got: 'one that belongs to the user 12345',
        mend: 'sudo chown -R root',
      },
    ]),
  ])('with $what is refused', async ({ place, change, got, mend }) => {
    change(place());
    await expect(readFinished(folder)).rejects.toMatchObject({
      message: `Cannot use the native runtime: expected only you and root to be able to change ${place()}, got ${got}`,
      hint: `if you trust what is in it: ${mend} '${place()}' && bn-train setup`,
    });
  });

  it('that the user’s own group may write to is as good', async () => {
    for (const place of [folder, libraries, addonIn(folder), marker]) chmodSync(place, 0o775);
    expect(await readFinished(folder)).toBeDefined();
  });
});

it('a runtime is not made in a cache that others may write to', async () => {
  const before = process.env;
  const cache = path.join(work, 'open/bn-train');
  mkdirSync(path.join(cache, 'runtime'), { recursive: true });
  chmodSync(cache, 0o777);
  process.env = { ...before, XDG_CACHE_HOME: path.dirname(cache) };
  const making = installBuild(buildFor(thisPlatform()), { listener: silent }).finally(() => (process.env = before));
  await expect(making).rejects.toMatchObject({
    message: `Cannot use the native runtime: expected only you and root to be able to change ${cache}, got one that everyone may write to`,
    hint: `if you trust what is in it: chmod o-w '${cache}' && bn-train setup`,
  });
  expect(readdirSync(path.join(cache, 'runtime'))).toEqual([]);
});
