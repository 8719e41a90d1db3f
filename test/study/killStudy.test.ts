/** A study that is killed (SIGKILL) again and again, at random times and in the middle of writes, has the result of one that was not. */
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, expect, it } from 'vitest';
import { amount } from '../support/amount.js';
import { root } from '../support/program.js';
import { begun, startFake, timelessRecords, trialsOf } from '../support/studies.js';

/** Another number or seed gives other moments. */
const KILLS = Number(process.env['KILLS'] ?? amount(20, 4));
const random = xoroshiro128plus(Number(process.env['KILL_SEED'] ?? 1));
/** Nine trials, each of which changes files at about 15 moments and writes the content of two or three. */
const [MOMENTS, CONTENTS] = [120, 24];
const hook = path.join(root, 'test/support/killAtWrite.js');

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-kill-study-'));
afterAll(() => rm(work, { recursive: true }));

function environmentOf(folder: string, kill: number): { env: Record<string, string>; before: string[] } {
  const isHalf = kill % 3 === 2;
  const at = uniformInt(random, 1, isHalf ? CONTENTS : MOMENTS);
  return {
    env: { KILL_BELOW: folder, KILL_AT: `${at}`, KILL_KIND: isHalf ? 'half' : 'any' },
    before: ['--import', hook],
  };
}

it(`${KILLS} times`, async () => {
  const whole = path.join(work, 'whole');
  const started = performance.now();
  const reference = await startFake({ folder: whole, log: path.join(work, 'whole.log'), delay: 20 }).result;
  const longest = Math.round(performance.now() - started);
  let done = 0;
  for (let study = 1; done < KILLS; study++) {
    const folder = path.join(work, `${study}`);
    const log = path.join(work, `${study}.log`);
    for (;;) {
      const byTime = done % 3 === 0;
      const how = done < KILLS && !byTime ? environmentOf(folder, done) : {};
      const running = startFake({ folder, log, delay: 20 }, how);
      const after = uniformInt(random, Math.round(longest / 4), longest);
      const timer = byTime && done < KILLS ? setTimeout(() => running.child.kill('SIGKILL'), after) : undefined;
      const { signal, code, stdout, stderr } = await running.result;
      clearTimeout(timer);
      if (signal === null) {
        expect(code, stderr).toBe(0);
        expect(timelessRecords(stdout)).toEqual(timelessRecords(reference.stdout));
        break;
      }
      expect(signal).toBe('SIGKILL');
      done++;
    }
    expect(trialsOf(folder)).toEqual(trialsOf(whole));
    // A killed process's lock may stay, which nobody asks for any more.
    expect(readdirSync(path.join(folder, 'trials')).filter((name) => !name.endsWith('.json'))).toEqual([]);
    expect(begun(log).size).toBe(9);
  }
});
