/** The folder of a study: finished trials by their names, each written whole, and who is computing which. */
import * as fs from 'node:fs/promises';
import { hostname } from 'node:os';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../common/errors.js';
import {
  assertWritable,
  codeOf,
  describeFileError,
  makeFolder,
  ownerOf,
  removeStaleTemporaries,
  writeFileAtomic,
} from '../common/files.js';
import { type LockHolder, tryLock } from '../common/lock.js';
import { type Identity, trialName } from './identity.js';
import type { Trial, TrialRecord } from './trial.js';
import { EXTENSION, type Origin, readTrialFile, trialFile, type TrialFile } from './trialFile.js';

/** Taken for computing: nobody else has it until it is released. */
export interface Taken {
  release: () => Promise<void>;
}

/** In ms: how often a holder shows that it lives, and after how much silence one on another machine counts as dead. */
const [BEAT, SILENCE] = [15_000, 180_000];

/** In ms: what was begun to be written so long ago will never be finished. */
const ABANDONED = 3_600_000;

/** What to tell of what is found: a file that is no trial any more. */
type Notice = (line: string) => void;

export class TrialStore {
  readonly identity: Identity;
  private readonly folder: string;
  private readonly origin: Origin;
  private readonly notice: Notice;
  /** Locks of other machines by file: how they looked when they last changed, and when that was seen. */
  private readonly watched = new Map<string, { looks: string; since: number }>();

  private constructor(folder: string, identity: Identity, origin: Origin, notice: Notice) {
    this.folder = folder;
    this.identity = identity;
    this.origin = origin;
    this.notice = notice;
  }

  /** Throws a BnTrainError for a folder that cannot be written. */
  static async open(folder: string, identity: Identity, origin: Origin, notice: Notice): Promise<TrialStore> {
    const [trials, locks] = [trialsIn(folder), locksIn(folder)];
    for (const part of [trials, locks]) await assertWritable(part, `use the study folder ${folder}`);
    await removeAbandoned(trials, (name) => ownerOf(name) !== undefined);
    await removeAbandoned(locks, () => true);
    return new TrialStore(folder, identity, origin, notice);
  }

  nameOf(trial: Trial): string {
    return trialName(trial, this.identity);
  }

  /** A finished trial, or undefined. A file that is not one is set aside, so that it is computed anew. */
  async read(trial: Trial): Promise<TrialFile | undefined> {
    const file = path.join(trialsIn(this.folder), `${this.nameOf(trial)}${EXTENSION}`);
    try {
      return await readTrialFile(file);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      if (!(error instanceof BnTrainError)) throw this.failed(error);
      await fs.rename(file, `${file}.aside`).catch((cause: unknown) => {
        throw this.failed(cause);
      });
      this.notice(`${error.message}; it is set aside as ${path.basename(file)}.aside, and computed again`);
      return undefined;
    }
  }

  async write(record: TrialRecord): Promise<TrialFile> {
    const content = trialFile(record, this.identity, this.origin);
    await writeTrialFile(this.folder, content).catch((error: unknown) => {
      throw this.failed(error);
    });
    return content;
  }

  /** Takes a trial for computing, or names who has it. That of a process that died is taken over. */
  async take(trial: Trial): Promise<Taken | LockHolder> {
    const name = this.nameOf(trial);
    const file = path.join(locksIn(this.folder), `${name}.lock`);
    const lock = await tryLock(file).catch((error: unknown) => {
      throw error instanceof BnTrainError ? error : this.failed(error);
    });
    if ('holder' in lock) {
      if (lock.holder.host !== hostname()) await this.dropSilent(file, lock.holder);
      return lock.holder;
    }
    this.watched.delete(file);
    // Only who has the lock writes the trial: what else was begun is a dead process's.
    await removeStaleTemporaries(trialsIn(this.folder), `${name}${EXTENSION}`);
    return { release: beating(file, lock.release) };
  }

  /**
   * Removes the lock of another machine that did not change for long by this machine's clock, as its process cannot be
   * asked after. Should it only have slept, the trial is computed twice and written with the same numbers.
   */
  private async dropSilent(file: string, holder: LockHolder): Promise<void> {
    const stats = await fs.stat(file).catch(() => undefined);
    const looks = JSON.stringify([holder, stats?.mtimeMs]);
    const seen = this.watched.get(file);
    if (seen?.looks !== looks) this.watched.set(file, { looks, since: performance.now() });
    else if (performance.now() - seen.since > SILENCE) await fs.rm(file, { force: true });
  }

  private failed(error: unknown): BnTrainError {
    return cannot(`write the study folder ${this.folder}`, {
      expected: 'room and permission',
      got: describeFileError(error),
      hint: 'free some space or give permission, then start it again: it goes on where it was',
      cause: error,
    });
  }
}

export const trialsIn = (folder: string) => path.join(folder, 'trials');
const locksIn = (folder: string) => path.join(folder, 'locks');

/** Writes a trial whole or not at all. Throws the file system's error. */
export async function writeTrialFile(folder: string, content: TrialFile): Promise<void> {
  const name = trialName(content.record.trial, content.identity);
  await makeFolder(trialsIn(folder));
  await writeFileAtomic(path.join(trialsIn(folder), `${name}${EXTENSION}`), `${JSON.stringify(content)}\n`);
}

/** A lock's release; until then the lock changes now and then. */
function beating(file: string, release: () => Promise<void>): () => Promise<void> {
  const beat = () => {
    const now = new Date();
    // A lock that somebody removed needs no sign of life.
    void fs.utimes(file, now, now).catch(() => undefined);
  };
  const timer = setInterval(beat, BEAT).unref();
  return async () => {
    clearInterval(timer);
    await release();
  };
}

/**
 * Other machines share the folder, so that the process which began a file cannot be asked after: its age tells. A lock
 * that is held is never old.
 */
async function removeAbandoned(folder: string, isPassing: (name: string) => boolean): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    const file = path.join(folder, name);
    if (!isPassing(name)) continue;
    const stats = await fs.stat(file).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > ABANDONED) await fs.rm(file, { recursive: true, force: true });
  }
}
