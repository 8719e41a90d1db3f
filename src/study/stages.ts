/** A study from its plan to all of its trials: those that are known beforehand, then those that follow from their results. */
import { formatSeconds } from '../common/format.js';
import { type Computing, computeAll } from './compute.js';
import { type Shard, spread } from './shards.js';
import { TimeLeft } from './timeLeft.js';
import type { Trial, TrialRecord } from './trial.js';
import type { TrialFile } from './trialFile.js';

export interface StudyPlan {
  first: readonly Trial[];
  /** Once all of these are there. */
  second: (records: readonly TrialRecord[]) => readonly Trial[];
  /** Trials that cost what those of the second stage will; none where there is no such stage. */
  likely: readonly Trial[];
}

/** What else must be computed before a study, or its second stage, can go on. */
export interface Waiting {
  stage: 1 | 2;
  /** Numbers of the shards that compute what is missing. */
  shards: number[];
  trials: number;
}

export type Stages = { files: TrialFile[] } | { waiting: Waiting };

/** Where finished trials are found. */
export type Reading = (trial: Trial) => Promise<TrialFile | undefined>;

export interface StudyRun extends Omit<Computing, 'onTrial'> {
  /** Undefined for all of it. */
  shard?: Shard | undefined;
}

/** Computes all that is missing, or a shard's part of it. */
export async function computeStudy(plan: StudyPlan, run: StudyRun): Promise<Stages> {
  const { store, costOf, listener, shard, jobs } = run;
  const found = new Map<string, TrialFile>();
  const read = async (trial: Trial) => {
    const name = store.nameOf(trial);
    const file = found.get(name) ?? (await store.read(trial));
    if (file) found.set(name, file);
    return file;
  };
  const costs = (trials: readonly Trial[]) => partOf(trials, run).map(costOf);
  const left = new TimeLeft(jobs);
  const tell = teller(listener, left);
  const compute = async (stage: 1 | 2, trials: readonly Trial[]) => {
    const part = partOf(trials, run);
    const there = await Promise.all(part.map(read));
    const missing = part.filter((_, i) => there[i] === undefined);
    left.expect([...missing.map(costOf), ...(stage === 1 ? costs(plan.likely) : [])]);
    tell.begin(stage, part.length - missing.length, part.length);
    const onTrial = (file: TrialFile, seconds: number | undefined) => {
      found.set(store.nameOf(file.record.trial), file);
      left.finish(costOf(file.record.trial), seconds);
      tell.trial();
    };
    await computeAll(missing, { ...run, onTrial });
  };
  return stagesOf(plan, read, { costOf, shard, compute });
}

interface How {
  costOf: (trial: Trial) => number;
  shard?: Shard | undefined;
  compute?: (stage: 1 | 2, trials: readonly Trial[]) => Promise<void>;
}

/** All trials of a plan, after what `compute` does at each stage; or what they wait for. */
export async function stagesOf(plan: StudyPlan, read: Reading, { costOf, shard, compute }: How): Promise<Stages> {
  const files: TrialFile[] = [];
  for (const stage of [1, 2] as const) {
    const trials = stage === 1 ? plan.first : plan.second(files.map(({ record }) => record));
    await compute?.(stage, trials);
    const found = await Promise.all(trials.map(read));
    const missing = trials.filter((_, i) => found[i] === undefined);
    if (missing.length > 0) {
      const parts = spread(trials, shard?.count ?? 1, costOf);
      const shards = parts.flatMap((part, i) => (part.some((trial) => missing.includes(trial)) ? [i + 1] : []));
      return { waiting: { stage, shards, trials: missing.length } };
    }
    files.push(...found.filter((file) => file !== undefined));
  }
  return { files };
}

function partOf(trials: readonly Trial[], { shard, costOf }: Pick<StudyRun, 'shard' | 'costOf'>): readonly Trial[] {
  return shard ? (spread(trials, shard.count, costOf)[shard.number - 1] ?? []) : trials;
}

/** Off a terminal a line for each such share of the work. */
const SHARE = 0.1;

/** A bar that moves with each trial, and a line now and then. */
function teller(listener: Computing['listener'], left: TimeLeft) {
  let [stage, done, total, told] = [1, 0, 0, 0];
  const begun = performance.now();
  const figures = () => `${done}/${total} trials   ${about(left.seconds())} left`;
  const draw = () => listener.progress({ label: `stage ${stage}`, done, total, figures: figures() });
  return {
    begin(now: 1 | 2, there: number, trials: number): void {
      [stage, done, total] = [now, there, trials];
      if (there < trials) draw();
    },
    trial(): void {
      done++;
      if (left.share() >= told + SHARE) {
        told = Math.floor(left.share() / SHARE + 1e-9) * SHARE;
        const took = formatSeconds((performance.now() - begun) / 1000);
        listener.notice(
          `study: ${Math.round(100 * left.share())} % done   stage ${stage}   ${figures()}   after ${took}`,
        );
      }
      draw();
    },
  };
}

/** No more exactly than it is known. */
function about(seconds: number): string {
  return seconds < 1 ? 'less than 1 s' : formatSeconds(seconds < 60 ? Math.ceil(seconds) : 5 * Math.ceil(seconds / 5));
}
