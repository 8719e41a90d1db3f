/** Trials that were computed apart, in one folder: refused where they do not go together. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../common/errors.js';
import { codeOf, describeFileError } from '../common/files.js';
import { quoted } from '../common/invocation.js';
import type { Listener } from '../common/listener.js';
import { canonical, type Identity, trialName } from './identity.js';
import { trialsIn, writeTrialFile } from './store.js';
import { EXTENSION, readTrialFile, type TrialFile } from './trialFile.js';

/** Trials of one identity, by their names. */
export interface Joined {
  identity: Identity;
  files: Map<string, TrialFile>;
}

interface Found {
  file: string;
  trial: TrialFile;
}

/**
 * Copies the trials of some study folders into one, those alone that this program's code computed. Nothing is copied
 * unless all fit. Throws a BnTrainError for a folder without trials, a file that is none, trials that were computed in
 * different ways, and one trial with two results.
 */
export async function mergeTrials(
  folders: readonly string[],
  into: string,
  code: string,
  notice: Listener['notice'],
): Promise<Joined> {
  const [target, ...sources] = [...new Set([into, ...folders].map((folder) => path.resolve(folder)))];
  const [own, ...others] = await Promise.all([
    trialsOf(target ?? into, into, false),
    ...sources.map((source) => trialsOf(source, source, !folders.includes(into))),
  ]);
  const all = [own, ...others].flat();
  const ours = all.filter(({ trial }) => trial.identity.code === code);
  if (ours.length < all.length) notice(`${all.length - ours.length} trials are of another version: they are left out`);
  const identity = assertAlike(ours, all.length);
  const found = assertUnique(ours);
  const there = new Set(own.map(({ file }) => path.basename(file)));
  for (const [name, { trial }] of found)
    if (!there.has(`${name}${EXTENSION}`))
      await writeTrialFile(into, trial).catch((error: unknown) => {
        throw cannotMerge('room and permission', `${into}: ${describeFileError(error)}`, undefined, error);
      });
  return { identity, files: new Map([...found].map(([name, { trial }]) => [name, trial])) };
}

function cannotMerge(expected: string, got: string, hint?: string, cause?: unknown): BnTrainError {
  return cannot('merge', { expected, got, ...(hint !== undefined && { hint }), cause });
}

async function trialsOf(folder: string, told: string, isNamed: boolean): Promise<Found[]> {
  const names = await fs.readdir(trialsIn(folder)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' && !isNamed) return [];
    const expected = 'the folder of a study, with its trials in trials';
    throw cannotMerge(expected, `${told}: ${describeFileError(error)}`, 'name the --study-dir of each part', error);
  });
  const files = names.filter((name) => name.endsWith(EXTENSION)).map((name) => path.join(trialsIn(folder), name));
  return Promise.all(files.map(async (file) => ({ file, trial: await read(file) })));
}

async function read(file: string): Promise<TrialFile> {
  return readTrialFile(file).catch((error: unknown) => {
    if (error instanceof BnTrainError) throw error;
    throw cannotMerge('every trial to be readable', `${file}: ${describeFileError(error)}`, undefined, error);
  });
}

/** What all trials have been computed with. */
function assertAlike([first, ...others]: readonly Found[], all: number): Identity {
  if (!first)
    throw cannotMerge(
      'trials that this version computed',
      all === 0 ? 'none' : `${all} of another one`,
      'use the version that computed them',
    );
  const { identity } = first.trial;
  const other = others.find(({ trial }) => canonical(trial.identity) !== canonical(identity));
  if (!other) return identity;
  const theirs = other.trial.identity;
  const field = (Object.keys(identity) as (keyof Identity)[]).find((key) => identity[key] !== theirs[key]);
  throw cannotMerge(
    'trials that were computed alike',
    `${field ?? 'other fields'} ${shownField(identity, field)} in ${first.file} and ${shownField(theirs, field)} in ${other.file}`,
    'name folders of one kind alone, and another --study-dir',
  );
}

const shownField = (identity: Identity, field: keyof Identity | undefined) =>
  field === undefined ? '' : String(identity[field]);

/** By name; the same trial may be there twice if its result is the same. */
function assertUnique(all: readonly Found[]): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const one of all) {
    const name = trialName(one.trial.record.trial, one.trial.identity);
    const other = found.get(name);
    if (other && other.trial.digest !== one.trial.digest)
      throw cannotMerge(
        `one result of the trial ${name}`,
        `two, in ${other.file} and ${one.file}`,
        `they may come from CPUs of two kinds; keep one: rm ${quoted(one.file)}`,
      );
    if (!other) found.set(name, one);
  }
  return found;
}
