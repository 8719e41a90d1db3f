/** Ctrl-C counts from the first millisecond: whatever opening a backend waits for, the signal ends it, and its children too. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { withLock } from '../../src/common/lock.js';
import { silent } from '../../src/common/listener.js';
import { ownFolder } from '../../src/runtime/install/libraries.js';
import { buildFor, thisPlatform } from '../../src/runtime/install/pins.js';
import { openReady } from '../../src/runtime/open.js';
import { pathWithScript } from './gpu.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-interrupt-'));
const before = process.env;
afterEach(() => {
  process.env = before;
});
afterAll(() => rm(work, { recursive: true }));

/** Aborts once `ready` holds; what the opening came to, and in how many ms. */
async function interrupt(ready: () => boolean, notice: (line: string) => void = () => undefined) {
  const stop = new AbortController();
  const opening = openReady({ backend: 'auto' }, { listener: { ...silent, notice }, signal: stop.signal });
  const outcome = opening.catch((error: unknown) => error);
  while (!ready()) await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort();
  // What it waits for takes a day, or for ever.
  return outcome;
}

const runs = (word: string) => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(word);

it.each([
  ['the driver', 'nvidia-smi', 'sleep 86391'],
  ['Python', 'python3', 'sleep 86392'],
])('while %s does not answer', async (_, name, script) => {
  process.env = { ...before, XDG_CACHE_HOME: path.join(work, name), PATH: await pathWithScript(name, script) };
  delete process.env['CUDA_VISIBLE_DEVICES'];
  const outcome = await interrupt(() => runs(script));
  expect(outcome).toMatchObject({ name: 'AbortError' });
  expect(runs(script)).toBe(false);
});

it('while another process holds the lock of an install', async () => {
  const PATH = await pathWithScript('python3', 'exit 1');
  process.env = { ...before, XDG_CACHE_HOME: path.join(work, 'lock'), PATH };
  let waited = false;
  await withLock(`${ownFolder(buildFor(thisPlatform()))}.lock`, async () => {
    const hears = (line: string) => (waited ||= line.includes('TensorFlow: waiting for process'));
    const outcome = await interrupt(() => waited, hears);
    expect(outcome).toMatchObject({ name: 'AbortError' });
  });
});
