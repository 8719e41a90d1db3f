/** Signals that come while TensorFlow computes in Node's own thread. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { start } from '../support/program.js';

test('the profiler and other signals leave memory alone, and only threads of Node hear of them', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'bn-train-signals-'));
  const profiler = ['--cpu-prof', '--cpu-prof-interval', '200', `--cpu-prof-dir=${folder}`];
  const { child, result } = start(process.execPath, [...profiler, path.join(import.meta.dirname, 'signals.js')]);
  const resizing = setInterval(() => child.kill('SIGWINCH'), 1);
  const { code, stdout, stderr } = await result;
  clearInterval(resizing);
  rmSync(folder, { recursive: true });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0\n', stderr: '' });
});
