/** A study's result, from its verdicts and what its trials say of where they were computed. */
import type { Machine } from '../common/machine.js';
import type { Identity } from './identity.js';
import type { StudyResult } from './result.js';
import type { TrialFile } from './trialFile.js';

export interface Judged extends Pick<StudyResult, 'registration' | 'quick' | 'claims' | 'left'> {
  files: readonly TrialFile[];
  identity: Identity;
  finished: Date;
}

export function studyResult({ files, identity, finished, ...verdicts }: Judged): StudyResult {
  return {
    ...verdicts,
    machine: machineOf(files.map(({ machine }) => machine)),
    versions: versionsOf(files.map(({ versions }) => versions)),
    data: { name: files[0]?.dataName ?? '', sha256: identity.data },
    seconds: files.reduce((sum, { record }) => sum + record.seconds, 0),
    finished: finished.toISOString(),
  };
}

/** One machine, or several as one: theirs is every kind of CPU. */
function machineOf(machines: readonly Machine[]): Machine {
  const kinds = distinct(machines, ({ cpu }) => cpu);
  const most = (field: 'cores' | 'memory') => Math.max(0, ...machines.map((machine) => machine[field]));
  return {
    platform: distinct(machines, ({ platform }) => platform).join(', '),
    cpu: kinds.join(', '),
    cores: most('cores'),
    memory: most('memory'),
  };
}

function versionsOf(versions: readonly Record<string, string>[]): Record<string, string> {
  const names = distinct(versions.flatMap(Object.keys), (name) => name);
  return Object.fromEntries(names.map((name) => [name, distinct(versions, (of) => of[name] ?? '').join(', ')]));
}

/** In an order of their own, whichever came first. */
function distinct<T>(values: readonly T[], textOf: (value: T) => string): string[] {
  return [...new Set(values.map(textOf))].filter((text) => text !== '').sort();
}
