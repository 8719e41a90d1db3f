/** A run of many epochs takes no more memory at its end than at its beginning. */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ALL } from '../support/amount.js';
import { figure, growth, longRun } from '../support/longRun.js';
import { writeSmallData } from '../support/smallData.js';

/**
 * Without LONG_RUN: 40 epochs of few examples. LONG_RUN=folder makes it 200 epochs of all, without forced collection of
 * garbage, and keeps measured.csv and figure.svg in that folder (LONG_RUN_FLAGS are added to the command).
 */
const kept = process.env['LONG_RUN'];
const folder = kept ?? mkdtempSync(path.join(tmpdir(), 'bn-train-long-'));
afterAll(() => (kept === undefined ? rm(folder, { recursive: true }) : undefined));

it.runIf(ALL || kept !== undefined)(
  'keeps its memory and its tensors, and warns of nothing',
  { timeout: 4 * 3600_000 },
  async () => {
    mkdirSync(folder, { recursive: true });
    expect(existsSync(path.join(folder, 'run'))).toBe(false);
    const small = await writeSmallData(path.join(folder, 'data'), 500, 100);
    const short = [...small.args, '--epochs', '40', '--batch-size', '64', '--checkpoint-steps', '3'];
    const long = ['--epochs', '200', ...(process.env['LONG_RUN_FLAGS'] ?? '').split(' ').filter(Boolean)];
    const args = ['scratch', '--seed', '1', ...(kept === undefined ? short : long)];
    const env = kept === undefined ? small.env : {};
    const { result, measured } = await longRun(folder, args, { env, collect: kept === undefined });
    writeFileSync(path.join(folder, 'figure.svg'), figure(measured));
    // Node's own warnings, of too many listeners for one, say so.
    expect(result.stderr).not.toMatch(/Warning/);
    expect(result.code).toBe(0);
    expect(measured).toHaveLength(kept === undefined ? 40 : 200);
    expect(new Set(measured.map(({ tensors }) => tensors)).size).toBe(1);
    expect(growth(measured.map(({ rss }) => rss))).toBeLessThan(0.02);
  },
);
