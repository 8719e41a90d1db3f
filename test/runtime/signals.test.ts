/** Signals that come while TensorFlow computes in Node's own thread. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { firstOf } from '../support/amount.js';
import { start } from '../support/program.js';

const WAYS = [
  ['compiled', {}],
  // On CPUs with AVX-512 it is so without TensorFlow's own oneDNN ops, on others always.
  ['eager', { TF_ENABLE_ONEDNN_OPTS: '0' }],
] as const;

test.each(firstOf(WAYS, 1))(
  'the profiler and other signals leave memory alone, and only threads of Node hear of them: %s',
  async (way, env) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bn-train-signals-'));
    const profiler = ['--cpu-prof', '--cpu-prof-interval', '200', `--cpu-prof-dir=${folder}`];
    const script = path.join(import.meta.dirname, 'signals.js');
    const { child, result } = start(process.execPath, [...profiler, script, way], { env });
    const resizing = setInterval(() => child.kill('SIGWINCH'), 1);
    const { code, stdout, stderr } = await result;
    clearInterval(resizing);
    rmSync(folder, { recursive: true });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0\n', stderr: '' });
  },
);
