/** A study's folder becomes its page: the result is checked, and the trials that are there are in it. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { pageOf } from '../../src/report/page/writePage.js';
import { type Identity, trialName } from '../../src/study/identity.js';
import type { StudyResult } from '../../src/study/result.js';
import { readStudy } from '../../src/study/savedStudy.js';
import { writeTrialFile } from '../../src/study/store.js';
import { trialFile } from '../../src/study/trialFile.js';
import { madeUpStudy } from '../support/madeUpStudy.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-study-page-'));
afterAll(() => rm(work, { recursive: true }));

const { study, records } = madeUpStudy(true);
const identity: Identity = {
  code: 'c',
  tensorflow: 't',
  device: 'cpu',
  addon: 'a',
  kernels: 'k',
  threads: 1,
  data: 'd',
};
const origin = { machine: study.machine, versions: study.versions, dataName: 'd', registration: study.registration };

function write(name: string, result: unknown): string {
  mkdirSync(path.join(work, name), { recursive: true });
  writeFileSync(path.join(work, name, 'study.json'), JSON.stringify(result));
  return path.join(work, name);
}

it('has what the study found, and the trials whose files are there', async () => {
  const kept = records.slice(0, 12);
  const names = kept.map(({ trial }) => trialName(trial, identity));
  const [first, ...claims] = study.claims;
  const named: StudyResult = first
    ? { ...study, claims: [{ ...first, trials: [...names, 'missing'] }, ...claims] }
    : study;
  const folder = write('study', named);
  for (const record of kept) await writeTrialFile(folder, trialFile(record, identity, origin));
  const found = await readStudy(folder);
  expect(found.study).toEqual(JSON.parse(JSON.stringify(named)));
  expect(new Set(found.records.map(({ trial }) => trialName(trial, identity)))).toEqual(new Set(names));
  const page = await pageOf([folder], 'zh');
  expect([...page.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id)).toEqual([
    'verdicts',
    ...study.claims.map(({ claim }) => claim),
    'explorer',
  ]);
  expect(page).toContain('<html lang="zh-CN"');
});

it.each<[string, object, string]>([
  ['no claims', { claims: undefined }, 'expected claims to be a list of claims, got nothing'],
  [
    'another verdict',
    { claims: [{ ...study.claims[0], verdict: 'maybe' }] },
    'expected claims.0.verdict to be holds, does not hold or undecided, got "maybe"',
  ],
  [
    'a trial elsewhere',
    { claims: [{ ...study.claims[0], trials: ['../../x'] }] },
    `expected claims.0.trials.0 to be a file's name, got "../../x"`,
  ],
  [
    'another picture',
    { claims: [{ ...study.claims[0], pictures: [{ kind: 'pie' }] }] },
    'expected claims.0.pictures.0.kind to be a picture of lines, dots or heat, got "pie"',
  ],
  [
    'no machine',
    { machine: {} },
    'expected machine to be platform and cpu as text, cores and memory as numbers, got {}',
  ],
])('with %s is refused', async (name, change, message) => {
  const folder = write(name, { ...study, ...change });
  await expect(pageOf([folder], 'en')).rejects.toThrow(`Cannot read ${path.join(folder, 'study.json')}: ${message}`);
});

it('that cannot be read is an error', async () => {
  mkdirSync(path.join(work, 'folder/study.json'), { recursive: true });
  await expect(readStudy(path.join(work, 'folder'))).rejects.toThrow(
    "study.json: expected a study's result, got a folder",
  );
});

it('with a damaged trial is refused', async () => {
  const [record] = records;
  if (!record) throw new Error('no trial');
  const [first, ...claims] = study.claims;
  const folder = write('damaged', { ...study, claims: [{ ...first, trials: ['x'] }, ...claims] });
  mkdirSync(path.join(folder, 'trials'));
  writeFileSync(path.join(folder, 'trials/x.json'), JSON.stringify(trialFile(record, identity, origin)));
  await expect(readStudy(folder)).rejects.toThrow('x.json: expected a trial as it was written, got one that is called');
});
