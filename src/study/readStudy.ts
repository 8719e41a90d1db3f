/** A finished study out of its folder: what was found, and the trainings of LeNet behind it. */
import * as path from 'node:path';
import * as v from 'valibot';
import { cannot } from '../common/errors.js';
import { codeOf, describeFileError, readBounded } from '../common/files.js';
import { quoted, toType } from '../common/invocation.js';
import { isObject, oneOf, parseShaped, text, that, yesOrNo } from '../common/shape.js';
import type { ClaimResult, StudyResult } from './result.js';
import { trialsIn } from './store.js';
import { EXTENSION, readTrialFile, type TrialFile } from './trialFile.js';

export interface FinishedStudy {
  study: StudyResult;
  /** Those that the folder still has. */
  trials: TrialFile[];
}

/** The most bytes that a study's result may have. */
const LIMIT = 2 ** 26;

const list = <T>() => that<T[]>('a list of objects', (value) => Array.isArray(value) && value.every(isObject));
const object = <T>() => that<T>('an object', isObject);

const CLAIM = v.looseObject({
  ...{ claim: text(), text: text(), question: text(), hypothesis: text(), unit: text(), criterion: text() },
  verdict: oneOf('a verdict', ['holds', 'does not hold', 'undecided']),
  parts: list<ClaimResult['parts'][number]>(),
  literature: object<ClaimResult['literature']>(),
  secondary: list<ClaimResult['secondary'][number]>(),
  pictures: list<ClaimResult['pictures'][number]>(),
  remarks: v.array(text()),
  trials: v.array(text("a trial's name", /^[\w.-]+$/)),
});

const SHAPE = v.looseObject({
  ...{ registration: text(), quick: yesOrNo, finished: text() },
  claims: v.array(CLAIM),
  left: list<StudyResult['left'][number]>(),
  machine: object<StudyResult['machine']>(),
  versions: object<StudyResult['versions']>(),
  data: object<StudyResult['data']>(),
});

/** Throws a BnTrainError where there is no result, or where it or a trial is damaged. */
export async function readStudy(folder: string): Promise<FinishedStudy> {
  const file = path.join(folder, 'study.json');
  const content = await readBounded(file, LIMIT).catch((error: unknown) => {
    throw cannot(`read the study ${folder}`, {
      expected: 'a folder with a study.json',
      got: codeOf(error) === 'ENOENT' ? 'none' : describeFileError(error),
      hint: `finish it: ${toType(`study --study-dir ${quoted(folder)}`)}`,
      cause: error,
    });
  });
  const study = parseShaped(SHAPE, content.toString(), file) as unknown as StudyResult;
  const names = new Set(study.claims.flatMap(({ trials }) => trials));
  const lenets = [...names].filter((name) => name.startsWith('lenet-')).sort();
  const trials = await Promise.all(lenets.map((name) => trialIn(folder, name)));
  return { study, trials: trials.filter((trial) => trial !== undefined) };
}

/** A result may be kept without its trials, which are large. */
async function trialIn(folder: string, name: string): Promise<TrialFile | undefined> {
  return readTrialFile(path.join(trialsIn(folder), `${name}${EXTENSION}`)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}
