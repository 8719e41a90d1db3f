/** What lies in the cache may be damaged too: a lock that names nobody is an error with its name, a marker that is not whole counts as none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BnTrainError } from '../../src/common/errors.js';
import { tryLock } from '../../src/common/lock.js';
import { LIBRARIES } from '../../src/runtime/install/pins.js';
import { addonIn, markFinished, readFinished } from '../../src/runtime/install/finished.js';
import { CASES, wellPut } from '../support/fuzz.js';
import { mutatedJson } from '../support/fuzzJson.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-cache-'));
afterAll(() => rm(work, { recursive: true }));

describe('a lock', () => {
  let number = 0;
  const file = () => path.join(work, `lock-${number++}`);

  it.each<{ name: string; make: (file: string) => void; got: RegExp }>([
    { name: 'a folder', make: (lock) => mkdirSync(lock), got: /got a folder$/ },
    { name: 'a pipe', make: (lock) => execFileSync('mkfifo', [lock]), got: /got a pipe or a device$/ },
    { name: 'a device', make: (lock) => symlinkSync('/dev/zero', lock), got: /got a pipe or a device$/ },
    { name: 'empty', make: (lock) => writeFileSync(lock, ''), got: /got ""$/ },
    { name: 'null', make: (lock) => writeFileSync(lock, 'null'), got: /got "null"$/ },
    {
      name: 'huge',
      make: (lock) => writeFileSync(lock, Buffer.alloc(5000)),
      got: /got 5000 bytes where at most 4096 belong$/,
    },
    ...[0, -1, 1.5, '7', null].map((pid) => ({
      name: `of process ${pid}`,
      make: (lock: string) => writeFileSync(lock, JSON.stringify({ pid, host: '', started: '' })),
      got: /got "\{\\"pid\\":/,
    })),
  ])('that is $name is an error, not waited for', async ({ make, got }) => {
    const lock = file();
    make(lock);
    const error = wellPut(await tryLock(lock).catch((thrown: unknown) => thrown), lock);
    expect(error.message).toMatch(/^Cannot read the lock .*: expected the process that holds it, got /);
    expect(error.message).toMatch(got);
    expect(error.hint).toBe(`if no other bn-train is running: rm -r '${lock}'`);
  });
});

describe('the marker of a finished runtime', () => {
  const folder = path.join(work, 'runtime/it');
  const dnn = '$ORIGIN/nvidia/cudnn/lib/libcudnn.so.9';
  const cuda = { toolkit: '12.5.82', cudnn: '9.3.0.75', missing: ['ptxas (no such program)'] };
  const facts = { source: 'wheel', tensorflow: '2.18.1', compiler: 'c++ 12', tfjs: '4.22.0', cuda } as const;
  const libraries = '$ORIGIN/tensorflow';
  const markerFile = path.join(folder, 'runtime.json');
  const names = [addonIn('$ORIGIN'), ...LIBRARIES.map((name) => path.join(libraries, name)), dnn];
  const files = names.map((name) => name.replace('$ORIGIN', folder));

  it('counts only where it is whole and the files have the sizes and contents it names', async () => {
    files.forEach((name, i) => {
      mkdirSync(path.dirname(name), { recursive: true });
      writeFileSync(name, Buffer.alloc(i + 1));
    });
    await markFinished(folder, { ...facts, libraries });
    const marker = JSON.parse(readFileSync(markerFile, 'utf8')) as { files: Record<string, object> };
    expect(Object.keys(marker.files)).toEqual(names);
    const whole = { ...facts, libraries: path.join(folder, 'tensorflow'), addon: addonIn(folder), files };
    expect(await readFinished(folder)).toEqual(whole);
    const seen = { whole: 0, none: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(mutatedJson(fc.constant(marker)), async ({ text }) => {
        writeFileSync(markerFile, text);
        const found = await readFinished(folder).catch((error: unknown) => wellPut(error, folder));
        seen[found instanceof BnTrainError ? 'refused' : found ? 'whole' : 'none']++;
        if (found instanceof BnTrainError) return assert.match(found.message, /^Cannot use the native runtime: /);
        if (!found) return assert.notEqual(text, JSON.stringify(marker));
        assert.equal(path.resolve(found.libraries), whole.libraries);
        for (const name of files.slice(0, 3)) assert.ok(found.files.map((each) => path.resolve(each)).includes(name));
        for (const name of ['source', 'tensorflow', 'compiler', 'tfjs'] as const)
          assert.equal(typeof found[name], 'string');
        const { toolkit, cudnn, missing } = found.cuda ?? cuda;
        for (const word of [toolkit, cudnn, ...missing]) assert.equal(typeof word, 'string');
        assert.ok(['override', 'wheel', 'python'].includes(found.source));
      }),
      { numRuns: CASES / 5 },
    );
    expect(Math.min(seen.whole, seen.none)).toBeGreaterThan(CASES / 100);
  });

  it.each([
    { name: 'neither it nor the folder has any files', libraries, files: {} },
    { name: 'it is an old one with a path that no system has', libraries: 'a\u0000b' },
    { name: 'it is an old one with a path through a file', libraries: '$ORIGIN/runtime.json' },
    { name: 'it is an old one with a path that is too long', libraries: 'x'.repeat(5000) },
  ])('does not count where $name', async ({ libraries, files }) => {
    const other = path.join(work, 'runtime/other');
    mkdirSync(other, { recursive: true });
    writeFileSync(addonIn(other), '');
    writeFileSync(path.join(other, 'runtime.json'), JSON.stringify({ ...facts, libraries, files }));
    expect(await readFinished(other)).toBeUndefined();
  });
});
