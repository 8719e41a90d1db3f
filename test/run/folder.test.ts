/** The lock of a run folder: one process at a time, and a dead one's is taken over. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from '../../src/common/files.js';
import { createRunFolder, holdRunFolder } from '../../src/run/folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'bn-train-hold-'));
});
afterEach(() => rm(folder, { recursive: true }));

const lockFile = () => path.join(folder, 'run.lock');
const hold = () => holdRunFolder(folder, () => Promise.resolve(readdirSync(folder)));
const writeLock = (holder: { pid: number; host?: string; started: string }) =>
  writeFileSync(lockFile(), JSON.stringify({ host: hostname(), ...holder }));
const startedOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];

/** A process that has ended and that nobody has asked about; `stop` ends its parent. */
async function zombie(): Promise<{ pid: number; stop: () => void }> {
  const parent = spawn('sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  while (stateOf(pid) !== 'Z') await new Promise((resolve) => setTimeout(resolve, 10));
  return { pid, stop: () => parent.kill() };
}

describe('makeFolder', () => {
  it('makes what is missing above a folder too, however many ask for it at once', async () => {
    for (let round = 0; round < 200; round++) {
      const above = path.join(folder, String(round));
      const deep = path.join(above, 'a/b/c');
      await Promise.all([makeFolder(deep), makeFolder(path.join(deep, 'd')), makeFolder(deep)]);
      await makeFolder(path.join(deep, 'd'));
      expect(readdirSync(above, { recursive: true })).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/d']);
    }
  });

  it('fails where a file is in the way, and below /proc', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    await expect(makeFolder(path.join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(path.join(folder, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(makeFolder('/proc/no/such/folder')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(makeFolder('')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a run folder', () => {
  it('is locked while it is held, and not after', async () => {
    expect(await hold()).toEqual(['run.lock']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is free again after a failure, which is passed on', async () => {
    await expect(holdRunFolder(folder, () => Promise.reject(new Error('on purpose')))).rejects.toThrow('on purpose');
    expect(await hold()).toEqual(['run.lock']);
  });

  it('is refused to a second process, which is told the first', async () => {
    await holdRunFolder(folder, () =>
      expect(hold()).rejects.toMatchObject({
        message: `Cannot use the run folder ${folder}: expected no other process at work on it, got process ${process.pid}`,
        hint: `wait for it to end, or stop it: kill ${process.pid}`,
      }),
    );
  });

  it('is refused where another machine’s process holds it, as nobody here can tell whether it runs', async () => {
    writeLock({ pid: 7, host: 'elsewhere', started: '1' });
    await expect(hold()).rejects.toMatchObject({
      message: `Cannot use the run folder ${folder}: expected no other process at work on it, got process 7 of the machine elsewhere`,
      hint: `if it no longer runs there: rm '${lockFile()}'`,
    });
  });

  it('is refused with a lock that tells nobody', async () => {
    writeFileSync(lockFile(), 'text');
    await expect(hold()).rejects.toMatchObject({
      message: `Cannot read the lock ${lockFile()}: expected the process that holds it, got "text"`,
      hint: `if no other bn-train is running: rm -r '${lockFile()}'`,
    });
  });

  it('that a process held which is gone is taken over', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    writeLock({ pid: child.pid ?? 0, started: '1' });
    expect(await hold()).toEqual(['run.lock']);
  });

  it('that an earlier process of the same number held is taken over', async () => {
    writeLock({ pid: process.pid, started: `${Number(startedOf(process.pid)) - 1}` });
    expect(await hold()).toEqual(['run.lock']);
  });

  it('that a zombie holds is taken over', async () => {
    const { pid, stop } = await zombie();
    writeLock({ pid, started: startedOf(pid) });
    expect(await hold().finally(stop)).toEqual(['run.lock']);
  });

  it('is cleared of what dead processes had begun to write, and of that alone', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    for (const part of ['model', 'checkpoint']) await mkdir(path.join(folder, part));
    const dead = `${child.pid ?? 0}-01234567.tmp`;
    const left = [`.config.json.${dead}`, `model/.weights.bin.${dead}`, `checkpoint/.epoch-1-batch-0.ckpt.${dead}`];
    const kept = ['metrics.csv', `.config.json.${process.pid}-01234567.tmp`, '.notes.tmp'];
    for (const name of [...left, ...kept]) writeFileSync(path.join(folder, name), '');
    await hold();
    const after = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    expect(after.sort()).toEqual([...kept, 'checkpoint', 'model'].sort());
  });

  it('with nothing but what a process left that was killed before its run began counts as empty', async () => {
    writeLock({ pid: 1, started: '' });
    writeFileSync(path.join(folder, '.config.json.1-01234567.tmp'), '');
    expect(await createRunFolder('none', folder)).toBe(folder);
    writeFileSync(path.join(folder, 'config.json'), '');
    await expect(createRunFolder('none', folder)).rejects.toMatchObject({
      message: expect.stringContaining('got one that holds config.json') as unknown,
      hint: `name another one with --run-dir, or continue that run with --resume '${folder}'`,
    });
  });
});
