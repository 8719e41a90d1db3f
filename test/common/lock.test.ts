/** The lock between processes: never two at a time, however often a holder dies, and nobody removes another's. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tryLock, withLock } from '../../src/common/lock.js';
import { root, start } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-lock-'));
afterAll(() => rm(work, { recursive: true }));
let number = 0;
const lockFile = () => path.join(work, `${number++}`, 'x.lock');

/** Takes the lock `rounds` times; in two of three it leaves it as a process does that is killed, for all to see at once. */
const WORKER = `
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from './dist/common/lock.js';
const [file, log, rounds, dead] = process.argv.slice(1);
for (let round = 0; round < rounds; ) {
  if (performance.now() > 60_000) throw new Error('the lock is never free');
  const lock = await tryLock(file);
  if ('holder' in lock) continue;
  appendFileSync(log, 'enter ' + process.pid + '\\n');
  if (round % 5 === 0) await sleep(1);
  appendFileSync(log, 'leave ' + process.pid + '\\n');
  if (round++ % 3 === 0) await lock.release();
  else {
    const left = file + '.' + process.pid;
    writeFileSync(left, JSON.stringify({ pid: Number(dead), host: hostname(), started: '1', id: process.pid + '-' + round }));
    renameSync(left, file);
  }
}`;

it('is held by one of many processes at a time, though holders die again and again', async () => {
  const ended = spawn('true');
  await once(ended, 'exit');
  const file = lockFile();
  const log = path.join(work, 'log');
  const [processes, rounds] = [6, 150];
  const args = ['--input-type=module', '-e', WORKER, file, log, String(rounds), String(ended.pid)];
  const running = Array.from({ length: processes }, () => start(process.execPath, args, { cwd: root }).result);
  for (const { code, stderr } of await Promise.all(running)) expect([code, stderr]).toEqual([0, '']);
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  expect(lines).toHaveLength(2 * processes * rounds);
  const broken = lines.findIndex((line, i) => i % 2 === 1 && line !== lines[i - 1]?.replace('enter', 'leave'));
  expect(lines.slice(Math.max(0, broken - 3), broken + 2), 'two at a time').toEqual(
    broken < 0 ? lines.slice(0, 1) : [],
  );
  expect(readdirSync(path.dirname(file)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

it('that another process took, after this one was removed by hand, is left alone', async () => {
  const file = lockFile();
  const first = await tryLock(file);
  rmSync(file);
  const second = await tryLock(file);
  if (!('release' in first) || !('release' in second)) throw new Error('expected both to be had');
  await first.release();
  expect(await tryLock(file)).toMatchObject({ holder: { pid: process.pid } });
  await second.release();
  expect(readdirSync(path.dirname(file))).toEqual([]);
});

it('whose taker over died in the midst of it is had by the next', async () => {
  const ended = spawn('true');
  await once(ended, 'exit');
  const dead = (id: string) => JSON.stringify({ pid: ended.pid, host: hostname(), started: '1', id });
  const file = lockFile();
  mkdirSync(path.dirname(file));
  writeFileSync(file, dead('the holder'));
  const mark = createHash('sha256').update(dead('the holder')).digest('hex').slice(0, 8);
  writeFileSync(path.join(path.dirname(file), `.x.lock.${ended.pid}-${mark}.tmp`), dead('its successor'));
  expect(await tryLock(file)).toHaveProperty('release');
  expect(await tryLock(file)).toMatchObject({ holder: { pid: process.pid } });
  expect(readdirSync(path.dirname(file))).toEqual(['x.lock']);
});

it('is waited for until the signal comes, which throws an AbortError', async () => {
  const file = lockFile();
  const stop = new AbortController();
  await withLock(file, async () => {
    const waiting = withLock(
      file,
      () => Promise.reject(new Error('had it')),
      ({ pid }) => (expect(pid).toBe(process.pid), setTimeout(() => stop.abort(), 50)),
      stop.signal,
    );
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
  expect(readdirSync(path.dirname(file))).toEqual([]);
});
