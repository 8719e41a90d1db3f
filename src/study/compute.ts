/** Computes the trials that are not there yet: several workers at once, each trial by one process alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cannot } from '../common/errors.js';
import type { Watch } from '../common/listener.js';
import { toType } from '../common/invocation.js';
import { longestFirst } from './shards.js';
import type { Taken, TrialStore } from './store.js';
import type { Trial, TrialRecord } from './trial.js';
import type { TrialFile } from './trialFile.js';
import { Worker, WorkerEnded, type WorkerScript } from './worker.js';

export interface Computing extends Watch {
  store: TrialStore;
  script: WorkerScript;
  /** How many workers. */
  jobs: number;
  /** In seconds, from the table: which trials are begun first. */
  costOf: (trial: Trial) => number;
  /** What a worker that has computed one of a kind has ready for the next. */
  kindOf: (trial: Trial) => string;
  /** Told of each trial that is there; its seconds here are undefined where it was computed elsewhere or before. */
  onTrial: (file: TrialFile, seconds: number | undefined) => void;
}

/** In ms: how often it is looked whether others have finished what they had taken. */
const POLL = 300;

/** Until every trial is in the folder, whoever computes it. Throws the first error, when no worker is left. */
export async function computeAll(trials: readonly Trial[], computing: Computing): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(computing.signal ? [computing.signal] : [])]);
  const queue = new Queue(longestFirst(trials, computing.costOf), computing, signal);
  const workers = new Set<Worker>();
  const kill = () => workers.forEach((worker) => void worker.kill());
  signal.addEventListener('abort', kill);
  process.once('exit', kill);
  const lanes = Array.from({ length: Math.min(computing.jobs, trials.length) }, () =>
    lane(queue, workers, computing, signal).catch((error: unknown) => {
      // The others are not waited for: what they were about is lost with their workers.
      stop.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(lanes);
  process.off('exit', kill);
  computing.signal?.throwIfAborted();
  stop.signal.throwIfAborted();
}

/** One worker after the other, should they die, and its trials. */
async function lane(queue: Queue, workers: Set<Worker>, computing: Computing, signal: AbortSignal): Promise<void> {
  const { store, script, listener, onTrial } = computing;
  let worker: Worker | undefined;
  const hire = () => {
    worker = new Worker(script);
    workers.add(worker);
    return worker;
  };
  const dismiss = async () => {
    await worker?.kill();
    if (worker) workers.delete(worker);
    worker = undefined;
  };
  /** A worker that dies takes its trial with it, which gets one more. */
  const compute = async (trial: Trial, again: boolean): Promise<TrialRecord> => {
    signal.throwIfAborted();
    try {
      return await (worker ?? hire()).compute(trial);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof WorkerEnded)) throw error;
      await dismiss();
      if (again) throw endedTwice(store.nameOf(trial), error);
      listener.warn(`a worker ended (${error.how}) in ${store.nameOf(trial)}, which is begun once more`);
      return compute(trial, true);
    }
  };
  const kinds = new Set<string>();
  try {
    for (let next = await queue.next(kinds); next; next = await queue.next(kinds)) {
      try {
        const begun = performance.now();
        const record = await compute(next.trial, false);
        onTrial(await store.write(record), (performance.now() - begun) / 1000);
      } finally {
        await next.taken.release();
      }
    }
  } finally {
    await dismiss();
  }
}

function endedTwice(name: string, cause: WorkerEnded): Error {
  return cannot(`compute the trial ${name}`, {
    expected: 'its process to finish',
    got: `its end, twice: ${cause.how}`,
    hint: `if memory is short, have fewer at once: ${toType('study --jobs 1')}`,
    cause,
  });
}

/** What is still to be computed; whoever asks is given a trial that nobody else computes, and no more when all are there. */
class Queue {
  private readonly waiting: Trial[];
  private readonly computing: Computing;
  private readonly signal: AbortSignal;
  /** One asks at a time. */
  private turn: Promise<unknown> = Promise.resolve();
  private told = false;
  /** Kinds that some worker is ready for. */
  private readonly begun = new Set<string>();

  constructor(trials: Trial[], computing: Computing, signal: AbortSignal) {
    this.waiting = trials;
    this.computing = computing;
    this.signal = signal;
  }

  /** For a worker that is ready for these kinds, to which the trial's is added. */
  async next(kinds: Set<string>): Promise<{ trial: Trial; taken: Taken } | undefined> {
    while (this.waiting.length > 0) {
      this.signal.throwIfAborted();
      const turn = this.turn.then(() => this.look(kinds));
      this.turn = turn.catch(() => undefined);
      const found = await turn;
      if (found) {
        for (const known of [kinds, this.begun]) known.add(this.computing.kindOf(found.trial));
        return found;
      }
      if (this.waiting.length > 0) await sleep(POLL, undefined, { signal: this.signal });
    }
    return undefined;
  }

  /** The longest first, of the worker's own kinds, then of those that no other has begun. */
  private inOrder(kinds: ReadonlySet<string>): Trial[] {
    const rank = (trial: Trial) => {
      const kind = this.computing.kindOf(trial);
      return kinds.has(kind) ? 0 : this.begun.has(kind) ? 2 : 1;
    };
    return longestFirst(this.waiting, (trial) => -rank(trial));
  }

  private async look(kinds: ReadonlySet<string>): Promise<{ trial: Trial; taken: Taken } | undefined> {
    const { store, onTrial, listener } = this.computing;
    for (const trial of this.inOrder(kinds)) {
      const taken = await store.take(trial);
      if (!('release' in taken)) {
        if (!this.told) listener.notice(`process ${taken.pid} on ${taken.host} computes some of the trials, too`);
        this.told = true;
        continue;
      }
      this.waiting.splice(this.waiting.indexOf(trial), 1);
      // Somebody may have finished it since it was looked for.
      const file = await store.read(trial).catch(async (error: unknown) => {
        await taken.release();
        throw error;
      });
      if (!file) return { trial, taken };
      await taken.release();
      onTrial(file, undefined);
    }
    return undefined;
  }
}
