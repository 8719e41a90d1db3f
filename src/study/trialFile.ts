/** A finished trial as a file: what decided it, where it was computed and what came of it, checked when read back. */
import * as path from 'node:path';
import * as v from 'valibot';
import { cannot } from '../common/errors.js';
import { readBounded, sha256Of } from '../common/files.js';
import { quoted } from '../common/invocation.js';
import type { Machine } from '../common/machine.js';
import { isObject, parseShaped, text, that } from '../common/shape.js';
import { canonical, type Identity, trialName } from './identity.js';
import type { TrialRecord } from './trial.js';

/** Where and with what trials are computed; it decides none of their numbers but, between kinds of CPU, last bits. */
export interface Origin {
  machine: Machine;
  versions: Record<string, string>;
  dataName: string;
  /** SHA-256 of the registration that asked for it. */
  registration: string;
}

export interface TrialFile extends Origin {
  identity: Identity;
  /** Of the record but for its times. */
  digest: string;
  record: TrialRecord;
}

const object = <T>() => that<T>('an object', isObject);

const SHAPE = v.object({
  identity: object<Identity>(),
  machine: object<Machine>(),
  versions: object<Record<string, string>>(),
  dataName: text(),
  registration: text(),
  digest: text('a SHA-256', /^[0-9a-f]{64}$/),
  record: object<TrialRecord>(),
});

/** The most bytes that a trial's file may have. */
const LIMIT = 2 ** 24;

export const EXTENSION = '.json';

export function trialFile(record: TrialRecord, identity: Identity, origin: Origin): TrialFile {
  return { identity, ...origin, digest: digestOf(record), record };
}

function digestOf(record: TrialRecord): string {
  return sha256Of(canonical({ ...record, seconds: 0, trainingSeconds: 0 }));
}

/**
 * The trial of a file that is whole and bears its own name. Throws a BnTrainError for any other, and the file system's
 * error where there is none.
 */
export async function readTrialFile(file: string): Promise<TrialFile> {
  const content = await readBounded(file, LIMIT);
  const found = parseShaped(SHAPE, content.toString(), file);
  const name = trialName(found.record.trial, found.identity);
  const own = path.basename(file, EXTENSION);
  if (name === own && digestOf(found.record) === found.digest) return found;
  throw cannot(`read ${file}`, {
    expected: 'a trial as it was written',
    got: name === own ? 'other numbers than those' : `one that is called ${name}`,
    hint: `to have it computed again: rm ${quoted(file)}`,
  });
}
