/** metrics.csv and events.jsonl as other programs open them, and as docs/run-folder.md describes them. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstOf } from '../support/amount.js';
import { root, runProgram, start } from '../support/program.js';
import { writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-tables-'));
afterAll(() => rm(work, { recursive: true }));
type Norm = 'scratch' | 'none';
const NORMS = firstOf<Norm>(['scratch', 'none'], 1);
const read = (norm: Norm, name: string) => readFileSync(path.join(work, norm, name), 'utf8');

beforeAll(async () => {
  const data = await writeSmallData(path.join(work, 'data'), 300, 100);
  for (const norm of NORMS) {
    const args = [norm, ...data.args, '--epochs', '2', '--batch-size', '64', '--seed', '1', '--run-dir', norm];
    // Numbers are not the language's.
    const env = { ...data.env, LC_ALL: 'de_DE.UTF-8' };
    expect((await runProgram(args, { env, cwd: work })).code).toBe(0);
  }
});

const eventsOf = (norm: Norm) => {
  const lines = read(norm, 'events.jsonl').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown> & { type: string });
};

describe('the documentation', () => {
  const text = readFileSync(path.join(root, 'docs/run-folder.md'), 'utf8');
  const section = (name: string) => text.split(/^## /m).find((part) => part.startsWith(`${name}\n`)) ?? '';
  const firstCells = (part: string) => [...part.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);

  it('has every column of metrics.csv in its order', () => {
    expect(firstCells(section('metrics.csv'))).toEqual(read('scratch', 'metrics.csv').split('\n')[0]?.split(','));
  });

  it('has every kind of event, and each field of it', () => {
    const events = eventsOf('scratch');
    const part = section('events.jsonl');
    expect(firstCells(part)).toEqual(expect.arrayContaining(events.map(({ type }) => type)));
    const columns = firstCells(section('metrics.csv'));
    for (const { type, ...fields } of events) {
      const row = part.split('\n').find((line) => line.startsWith(`| \`${type}\``)) ?? '';
      for (const field of Object.keys(fields))
        if (type === 'epoch') expect(columns).toContain(field);
        else expect(row).toMatch(new RegExp(`\\b${field}\\b`));
    }
  });
});

it('metrics.csv is plain: names, then numbers with a point between commas, or nothing', () => {
  const NUMBER = String.raw`\d+(\.\d+)?(e-\d+)?`;
  for (const norm of NORMS) {
    const [names = '', ...rows] = read(norm, 'metrics.csv').split('\n');
    expect(names).toMatch(/^[a-zA-Z]+(,[a-zA-Z]+){7}$/);
    expect(rows.pop()).toBe('');
    expect(rows).toHaveLength(2);
    for (const row of rows) expect(row).toMatch(new RegExp(`^${NUMBER}(,(${NUMBER})?){7}$`));
  }
});

/** A Python with pandas. CI has one and names it; elsewhere this has nothing to say without it. */
const python = process.env['BN_TRAIN_TENSORBOARD'];

interface Answer {
  metrics: { types: Record<string, string>; rows: Record<string, number | null>[] };
  events: { columns: string[]; types: string[]; epochs: Record<string, unknown>[] };
  dialect: object;
}

describe.runIf(python)('in pandas', () => {
  it.each(NORMS)('both open with their types and values: %s', async (norm) => {
    const script = path.join(import.meta.dirname, 'read_tables.py');
    const { code, stdout, stderr } = await start(python ?? '', [script, path.join(work, norm)]).result;
    expect(code, stderr).toBe(0);
    const { metrics, events, dialect } = JSON.parse(stdout) as Answer;
    const hasPopulation = norm === 'scratch';
    expect(metrics.types).toEqual({
      ...{ epoch: 'int64', loss: 'float64', trainAccuracy: 'float64', testAccuracy: 'float64' },
      ...{ testAccuracyPopulation: 'float64', populationImages: hasPopulation ? 'int64' : 'float64' },
      ...{ examplesPerSecond: 'float64', seconds: 'float64' },
    });
    expect(dialect).toEqual({ delimiter: ',', header: true });
    expect(events.types).toEqual(['start', 'epoch', 'epoch', 'end']);
    const epochs = eventsOf(norm).filter(({ type }) => type === 'epoch');
    expect(metrics.rows).toHaveLength(2);
    for (const [i, own] of epochs.entries())
      for (const [name, value] of Object.entries(own).filter(([key]) => key !== 'type'))
        for (const found of [metrics.rows[i]?.[name], events.epochs[i]?.[name]])
          if (value === null) expect(found).toBeNull();
          else expect(found).toBeCloseTo(value as number, 10);
  });
});
