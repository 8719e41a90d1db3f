/** A study as its folder has it: the result in study.json, checked, and those of its trials that are there. */
import * as path from 'node:path';
import * as v from 'valibot';
import { cannot } from '../common/errors.js';
import { codeOf, describeFileError, readBounded } from '../common/files.js';
import { knownMachine, numberThat, oneOf, parseShaped, text, textsByName, yesOrNo } from '../common/shape.js';
import type { StudyResult } from './result.js';
import { trialsIn } from './store.js';
import type { TrialRecord } from './trial.js';
import { EXTENSION, readTrialFile } from './trialFile.js';

/** With each seed's curve of each claim. */
const LIMIT = 2 ** 26;

const number = numberThat('a number', () => true);
const orNull = v.nullable(number);
const numbers = v.array(orNull, 'a list of numbers');
const listOf = <T extends v.ObjectEntries>(entries: T, words: string) =>
  v.array(v.object(entries, words), `a list of ${words}`);
const verdict = oneOf('holds, does not hold or undecided', ['holds', 'does not hold', 'undecided']);
const interval = v.nullable(v.object({ low: number, high: number, level: number }, 'low, high and level'));
const axis = v.object({ name: text(), unit: text(), logarithmic: yesOrNo }, 'an axis');
const references = listOf({ name: text(), y: number }, 'name and y');
const line = {
  name: text(),
  x: v.array(number, 'a list of numbers'),
  y: numbers,
  seeds: listOf({ seed: number, y: numbers }, 'seed and y'),
};
const cell = { column: number, row: number, value: orNull, seeds: v.array(number, 'a list of numbers') };
const texts = v.array(text(), 'a list of texts');
const PICTURE = v.variant(
  'kind',
  [
    v.object({ kind: v.literal('lines'), name: text(), x: axis, y: axis, series: listOf(line, 'lines'), references }),
    v.object({
      kind: v.literal('dots'),
      ...{ name: text(), y: axis, references },
      groups: listOf({ name: text(), values: v.array(number, 'a list of numbers') }, 'groups'),
    }),
    v.object({
      kind: v.literal('heat'),
      ...{ name: text(), x: axis, y: axis, columns: texts, rows: texts, cells: listOf(cell, 'cells') },
    }),
  ],
  'a picture of lines, dots or heat',
);
const PART = {
  ...{ measure: text(), unit: text(), effect: orNull, bound: yesOrNo, interval, interval95: interval },
  ...{ criterion: text(), margins: v.array(number, 'a list of numbers'), verdict },
  seeds: listOf({ seed: number, value: number, bound: yesOrNo }, 'seed, value and bound'),
};
const CLAIM = {
  ...{ claim: text(), text: text(), question: text(), hypothesis: text(), verdict, effect: orNull, interval },
  ...{ unit: text(), criterion: text(), parts: listOf(PART, 'parts') },
  literature: v.object({ text: text(), value: orNull, source: text() }, 'text, value and source'),
  secondary: listOf({ name: text(), value: orNull, unit: text(), interval }, 'name, value, unit and interval'),
  ...{ pictures: v.array(PICTURE, 'a list of pictures'), remarks: texts },
  trials: v.array(text("a file's name", /^[^/\\]+$/), 'a list of names'),
};
const STUDY = v.object({
  ...{ registration: text(), quick: yesOrNo, claims: listOf(CLAIM, 'claims') },
  left: listOf({ claim: text(), why: text() }, 'claim and why'),
  machine: knownMachine,
  versions: textsByName,
  data: v.object({ name: text(), sha256: text() }, 'name and sha256'),
  ...{ seconds: number, finished: text() },
});

export interface SavedStudy {
  study: StudyResult;
  /** Of the trials that it stands on, those whose files are there. */
  records: TrialRecord[];
}

/** Throws a BnTrainError where there is no study, or it is damaged. */
export async function readResult(folder: string): Promise<StudyResult> {
  const file = path.join(folder, 'study.json');
  const content = await readBounded(file, LIMIT).catch((error: unknown) => {
    throw cannot(`read ${file}`, { expected: "a study's result", got: describeFileError(error), cause: error });
  });
  return parseShaped(STUDY, content.toString(), file);
}

/** Throws a BnTrainError where there is no study, or it or a trial is damaged. */
export async function readStudy(folder: string): Promise<SavedStudy> {
  const study = await readResult(folder);
  const names = [...new Set(study.claims.flatMap(({ trials }) => trials))].sort();
  const records: TrialRecord[] = [];
  // One after the other, as each is read and checked whole.
  for (const name of names) {
    const found = await readTrialFile(path.join(trialsIn(folder), `${name}${EXTENSION}`)).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (found) records.push(found.record);
  }
  return { study, records };
}
