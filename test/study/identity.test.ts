/** A trial's name follows from all that decides its numbers, and from nothing else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { codeHash, trialName } from '../../src/study/identity.js';
import type { Trial } from '../../src/study/trial.js';
import { IDENTITY } from '../support/madeUpTrials.js';

const trial: Trial = {
  model: { kind: 'lenet', norm: 'batch' },
  ...{ learningRate: 0.3, batchSize: 256, examples: 60_000, epochs: 10, seed: 3, watch: ['epochs'] },
};
const name = trialName(trial, IDENTITY);

describe('a name', () => {
  it('is read by people, and is a file name', () => {
    expect(name).toMatch(/^lenet-batch-lr0\.3-b256-60000x10-seed3-[0-9a-f]{16}$/);
    const stack = { kind: 'mlp', depth: 20, width: 128, activation: 'relu', norm: 'none' } as const;
    expect(trialName({ ...trial, model: stack }, IDENTITY)).toMatch(/^relu20x128-none-lr0\.3-/);
  });

  it('is the same in whatever order fields were written', () => {
    const turned = Object.fromEntries(Object.entries({ ...trial, model: { norm: 'batch', kind: 'lenet' } }).reverse());
    expect(trialName(turned as unknown as Trial, IDENTITY)).toBe(name);
    expect(trialName({ ...trial, decayAt: undefined }, IDENTITY)).toBe(name);
  });

  it.each(Object.entries({ ...{ learningRate: 0.1, decayAt: 0.8, batchSize: 2, examples: 6000 }, epochs: 9, seed: 4 }))(
    'is another with another %s',
    (field, value) => expect(trialName({ ...trial, [field]: value }, IDENTITY)).not.toBe(name),
  );

  it.each([{ watch: [] }, { weightScale: 10 }, { model: { kind: 'lenet', norm: 'none' } }])(
    'is another with %o',
    (change) => expect(trialName({ ...trial, ...change } as Trial, IDENTITY)).not.toBe(name),
  );

  it.each(Object.keys(IDENTITY))('is another with another %s', (field) =>
    expect(trialName(trial, { ...IDENTITY, [field]: 'other' })).not.toBe(name),
  );
});

describe("the code's hash", () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'bn-train-code-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (file: string, text: string) => writeFileSync(path.join(folder, file), text);
  const hash = () => codeHash(pathToFileURL(path.join(folder, 'entry.js')));

  it('is that of all that is loaded, however, and of nothing else', async () => {
    write(
      'entry.js',
      "import * as fs from 'node:fs';\nimport { a } from './a.js';\nexport const b = () => import('./b.js');\n",
    );
    write('a.js', "export { c } from './c.js';\nimport './entry.js';\nexport const a = 1;\n");
    for (const file of ['b.js', 'c.js', 'd.js']) write(file, 'export const c = 1;\n');
    const before = await hash();
    expect(before).toMatch(/^[0-9a-f]{16}$/);
    write('d.js', 'export const c = 2;\n');
    expect(await hash()).toBe(before);
    for (const file of ['a.js', 'b.js', 'c.js']) {
      const text = 'export const other = 1;\n';
      const last = await hash();
      write(file, file === 'a.js' ? "export { c } from './c.js';\n" : text);
      expect(await hash(), file).not.toBe(last);
    }
  });
});
