/** Studies of made-up trials (fakeStudy.js): folders, processes and what came of them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import type { TrialRecord } from '../../src/study/trial.js';
import { root, type Running, start } from './program.js';

const script = path.join(root, 'test/support/fakeStudy.js');

export interface FakeStudy {
  folder: string;
  log: string;
  shard?: { number: number; count: number };
  jobs?: number;
  /** In ms, of each trial. */
  delay?: number;
  seeds?: number[];
}

export function startFake(study: FakeStudy, { env = {}, before = [] as string[] } = {}): Running {
  return start(process.execPath, [...before, script, JSON.stringify(study)], { env });
}

/** Records as any two studies of the same trials must have them. */
export function timelessRecords(stdout: string): unknown {
  const keep = (key: string, part: unknown) => (/^(trainingS|s)econds$/.test(key) ? 0 : part);
  return (JSON.parse(stdout) as TrialRecord[]).map((record) => JSON.parse(JSON.stringify(record, keep)) as unknown);
}

/** The names of a folder's trials, each with its content but for times. */
export function trialsOf(folder: string): [name: string, content: string][] {
  const trials = path.join(folder, 'trials');
  if (!existsSync(trials)) return [];
  const names = readdirSync(trials).filter((name) => name.endsWith('.json'));
  const times = /"(trainingS|s)econds":[^,}]*/g;
  return names.sort().map((name) => [name, readFileSync(path.join(trials, name), 'utf8').replaceAll(times, '')]);
}

/** How often each trial was begun. */
export function begun(log: string): Map<string, number> {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
