import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findFashionMnist } from '../../src/data/fashionMnist.js';
import { parseHello, parseTurn, requestLine } from '../../src/bench/protocol.js';
import { root } from '../support/program.js';

/** A Python with PyTorch; in CI there must be one. */
const python = process.env['BN_TRAIN_PYTORCH'];

describe.runIf(python !== undefined || process.env['CI'] !== undefined)('the PyTorch peer', () => {
  it('does the same work whether results are read after each step or once a turn', async () => {
    const names = ['scratch', 'builtin', 'none'].flatMap((norm) => [`${norm}/eager`, `${norm}/loop`]);
    const folder = (await findFashionMnist()) ?? '';
    const peer = path.join(root, 'bench/peers/pytorch.py');
    const child = spawn(python ?? 'python3', ['-B', peer, '--modes', 'eager,loop', '--data-dir', folder]);
    child.stdin.end(names.map((name) => requestLine({ name, steps: 5 })).join(''));
    const [hello = '', ...answers] = (await text(child.stdout)).trim().split('\n');
    expect(parseHello(hello, 'the peer').contestants.sort()).toEqual([...names].sort());
    const turns = answers.map((line) => parseTurn(line, 'the peer'));
    expect(turns).toHaveLength(names.length);
    for (let i = 0; i < turns.length; i += 2) {
      const [eager, loop] = turns.slice(i, i + 2);
      // Two whole batches, the smaller last one, and two of the next epoch.
      expect([eager?.examples, loop?.examples]).toEqual([4 * 256 + 96, 4 * 256 + 96]);
      expect(loop?.loss).toBeCloseTo(eager?.loss ?? NaN, 3);
      expect(loop?.accuracy).toBeCloseTo(eager?.accuracy ?? NaN, 2);
    }
  });
});
