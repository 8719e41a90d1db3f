/** Turns the flags of a study into one: listed, merged, computed in part or whole, and judged. */
import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { BnTrainError, cannot, EXIT, nearest } from '../../common/errors.js';
import { exists, sha256Of, writeFileAtomic } from '../../common/files.js';
import { quoted, toType } from '../../common/invocation.js';
import { type Cost, listLines, type Listed, studyLines } from '../../report/studyLines.js';
import { costOf, costOfAll, kindOf } from '../../study/costs.js';
import { trialCode, trialName } from '../../study/identity.js';
import { judge } from '../../study/judge.js';
import { type Joined, mergeTrials } from '../../study/merge.js';
import { studyResult } from '../../study/outcome.js';
import { firstStage, isLeft, likelyStage, secondStage } from '../../study/plan.js';
import { CLAIM_IDS, type ClaimId, parseRegistration, type Registration } from '../../study/registration.js';
import { parseShard, type Shard } from '../../study/shards.js';
import { computeStudy, stagesOf, type StudyPlan, type Waiting } from '../../study/stages.js';
import type { TrialFile } from '../../study/trialFile.js';
import type { Session } from '../session.js';
import { openStudy, type StudyFlags } from './openStudy.js';

/** What is asked for, and by which registration. */
interface Asked {
  claims: ClaimId[];
  quick: boolean;
  registration: Registration;
  /** SHA-256. */
  hash: string;
}

export async function runStudy(words: readonly string[], flags: StudyFlags, session: Session): Promise<void> {
  const bytes = await readFile(new URL('../../../data/claims.json', import.meta.url));
  const registration = parseRegistration(bytes);
  const asked = { claims: claimsOf(words), quick: flags.quick === true, registration, hash: sha256Of(bytes) };
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
  const { jobs = os.availableParallelism(), studyDir } = flags;
  if (flags.list) return list(asked, jobs, flags, session);
  if (asked.quick) await assertNoFullStudy(studyDir);
  if (flags.merge) return conclude(await merge(asked, flags.merge, studyDir, session), asked, flags, session);
  const plan = planOf(asked);
  const { store, script } = await openStudy(flags, asked.hash, session);
  session.saves();
  const watch = { listener: session.terminal, signal: session.signal };
  const run = { ...watch, store, script, jobs, costOf, kindOf, shard };
  const stages = await computeStudy(plan, run).catch((error: unknown) => {
    if (session.signal.aborted) session.terminal.notice(`kept in ${studyDir}; the same command goes on`);
    throw error;
  });
  if ('waiting' in stages) return wait(stages.waiting, plan, shard, flags, session);
  await conclude({ files: stages.files, identity: store.identity }, asked, flags, session);
}

/** What took half an hour is not to give way to what takes minutes. */
async function assertNoFullStudy(folder: string): Promise<void> {
  if (!(await exists(path.join(folder, 'study.json')))) return;
  const { readResult } = await import('../../study/savedStudy.js');
  if ((await readResult(folder)).quick) return;
  throw cannot('study quickly', {
    expected: 'a folder without the result of a full study',
    got: folder,
    hint: `${toType(`report ${quoted(folder)}`)} shows it; for a quick look beside it, name another folder with --study-dir`,
    exitCode: EXIT.usage,
  });
}

/** All claims in their own order, whatever the order of the words. Throws a BnTrainError of usage for a word that is none. */
export function claimsOf(words: readonly string[]): ClaimId[] {
  const known: readonly string[] = CLAIM_IDS;
  const unknown = words.find((word) => !known.includes(word));
  if (unknown === undefined) return CLAIM_IDS.filter((claim) => words.length === 0 || words.includes(claim));
  const meant = nearest(unknown, known);
  throw cannot('study', {
    expected: `some of ${known.join(', ')}`,
    got: unknown,
    hint: meant === undefined ? `${toType('study --list')} tells what they are` : `did you mean ${meant}?`,
    exitCode: EXIT.usage,
  });
}

function planOf({ registration, claims, quick }: Asked): StudyPlan {
  return {
    first: firstStage(registration, claims, quick),
    second: (records) => secondStage(registration, claims, quick, records),
    likely: likelyStage(registration, claims, quick),
  };
}

function list(
  { registration, hash, ...asked }: Asked,
  jobs: number,
  { json }: StudyFlags,
  { terminal }: Session,
): void {
  const cost = (claims: ClaimId[], quick: boolean): Cost => {
    const { first, likely } = planOf({ registration, hash, claims, quick });
    const trials = [...first, ...likely];
    return { trials: trials.length, seconds: costOfAll(trials, jobs) };
  };
  const claims = asked.claims.map((claim): Listed => ({
    claim,
    question: registration.claims[claim].question,
    full: cost([claim], false),
    quick: isLeft(registration, claim, true) ? null : cost([claim], true),
  }));
  const all = { full: cost(asked.claims, false), quick: cost(asked.claims, true) };
  if (json) terminal.printJson({ registration: hash, jobs, claims, all });
  else
    terminal.print(
      ...listLines(claims, all, { jobs, columns: terminal.resultColumns() }),
      `registration   SHA-256 ${hash}`,
    );
}

type Complete = Omit<Joined, 'files'> & { files: readonly TrialFile[] };

async function merge(asked: Asked, folders: string[], into: string, { terminal }: Session): Promise<Complete> {
  const { identity, files } = await mergeTrials(folders, into, await trialCode(), terminal.notice);
  const read = (trial: TrialFile['record']['trial']) => Promise.resolve(files.get(trialName(trial, identity)));
  const stages = await stagesOf(planOf(asked), read, { costOf });
  if ('files' in stages) return { identity, files: stages.files };
  throw new BnTrainError(`study: of stage ${stages.waiting.stage}, ${stages.waiting.trials} trials are in no folder`, {
    hint: `name the folders of all shards; or have what is missing computed here: ${toType(`study --study-dir ${quoted(into)}`)}`,
    exitCode: EXIT.waits,
  });
}

/** A shard has done what it can. */
function wait(
  { stage, shards, trials }: Waiting,
  plan: StudyPlan,
  shard: Shard | undefined,
  flags: StudyFlags,
  { terminal }: Session,
): void {
  const { number = 1, count = 1 } = shard ?? {};
  const others = `${shards.length === 1 ? 'shard' : 'shards'} ${shards.join(', ')} of ${count}`;
  if (stage === 1 && plan.likely.length > 0)
    throw new BnTrainError(`study: stage 2 waits for ${others}: ${trials} trials are not in ${flags.studyDir}`, {
      hint: 'once they are, start this again: it goes on with the second stage',
      exitCode: EXIT.waits,
    });
  if (flags.json) return terminal.printJson({ shard: `${number}/${count}`, done: true, waitsFor: shards });
  terminal.print(`shard ${number}/${count} is done; ${others} compute ${trials} trials more`);
}

async function conclude(complete: Complete, asked: Asked, flags: StudyFlags, { terminal }: Session): Promise<void> {
  const { registration, hash, claims, quick } = asked;
  const records = complete.files.map(({ record }) => record);
  const judged = judge(registration, claims, quick, records, (trial) => trialName(trial, complete.identity));
  const result = studyResult({ ...complete, ...judged, registration: hash, quick, finished: new Date() });
  await writeFileAtomic(path.join(flags.studyDir, 'study.json'), `${JSON.stringify(result)}\n`);
  if (flags.json) terminal.printJson(result);
  else terminal.print(...studyLines(result));
}
