import { describe, expect, it } from 'vitest';
import { peakMemoryOf } from '../../src/bench/fresh.js';
import { shellCommand, startPeer, withPeers } from '../../src/bench/peer.js';
import { parseHello, parseRequest, parseTurn, requestLine } from '../../src/bench/protocol.js';
import { FAKE_HELLO, FAKE_TURN, fakePeer } from './fake.js';

const node = (script: string) => ({ label: 'the peer', file: process.execPath, args: ['-e', script] });

describe('the protocol', () => {
  it('a request is read back as it was written', () => {
    const request = { name: 'scratch/eager', steps: 40 };
    expect(parseRequest(requestLine(request).trimEnd(), ['scratch/eager'])).toEqual(request);
  });

  it.each(['', 'RUN', 'RUN none/eager 0', 'RUN none/eager -1', 'RUN scratch/eager 4', 'run none/eager 4'])(
    'the request %j is refused',
    (line) =>
      expect(() => parseRequest(line, ['none/eager', 'none/graph'])).toThrow(
        `Cannot serve: expected RUN, one of none/eager, none/graph, and a number of steps, got ${JSON.stringify(line)}`,
      ),
  );

  it.each([
    ['program', { program: 1 }],
    ['versions', { versions: null }],
    ['versions', { versions: { torch: 2 } }],
    ['threads', { threads: 0 }],
    ['contestants', { contestants: [] }],
  ])('a first line without a valid %s is refused', (name, wrong) => {
    expect(parseHello(JSON.stringify(FAKE_HELLO), 'it')).toEqual(FAKE_HELLO);
    const line = JSON.stringify({ ...FAKE_HELLO, ...wrong });
    expect(() => parseHello(line, 'it')).toThrow(
      `Cannot measure it: expected a line of JSON with a valid ${name}, got ${line}`,
    );
  });

  it.each(['steps', 'examples', 'seconds', 'loss', 'accuracy', 'peakMemory'])(
    'an answer without %s is refused',
    (name) => {
      expect(parseTurn(JSON.stringify(FAKE_TURN), 'it')).toEqual(FAKE_TURN);
      expect(() => parseTurn(JSON.stringify({ ...FAKE_TURN, [name]: null }), 'it')).toThrow(
        `Cannot measure it: expected a line of JSON with a valid ${name}, got {`,
      );
    },
  );

  it.each(['Traceback (most recent call last):', 'null', '3', '[]'])('the answer %j is refused', (line) =>
    expect(() => parseTurn(line, 'it')).toThrow(`expected a line of JSON with a valid steps, got ${line}`),
  );
});

describe('a peer', () => {
  it('is given its arguments, says who it is, runs, and ends when it is closed', async () => {
    const command = shellCommand(fakePeer, ['--norms', 'none']);
    const [hello, turn] = await withPeers([command], undefined, async ([peer]) => [
      peer?.hello,
      await peer?.run('none/eager', 3),
    ]);
    expect(hello).toEqual({ ...FAKE_HELLO, versions: { arguments: '--norms none' } });
    expect(turn).toEqual({ ...FAKE_TURN, steps: 3 });
  });

  it.each([
    { script: 'process.exit(3)', got: 'its end (exit status 3)' },
    { script: 'process.kill(process.pid, "SIGKILL")', got: 'its end (SIGKILL)' },
  ])('that ends before its first line: $script', async ({ script, got }) => {
    await expect(startPeer(node(script))).rejects.toMatchObject({
      message: `Cannot measure the peer: expected a line of JSON, got ${got}`,
      hint: 'what it said itself stands above',
    });
  });

  it('that ends instead of answering', async () => {
    const peer = await startPeer(node(`console.log('${JSON.stringify(FAKE_HELLO)}')`));
    await expect(peer.run('none/eager', 1)).rejects.toThrow('got its end (exit status 0)');
    await peer.close();
  });

  it('that says something else, or does not exist', async () => {
    await expect(startPeer(node('console.log("hello")'))).rejects.toMatchObject({
      message: 'Cannot measure the peer: expected a line of JSON with a valid program, got hello',
      hint: 'src/bench/program.ts says what a program answers',
    });
    await expect(startPeer({ label: 'it', file: '/nowhere/program', args: [] })).rejects.toThrow('ENOENT');
  });

  it('is ended by an interrupt', async () => {
    const controller = new AbortController();
    const peer = await startPeer(shellCommand(fakePeer, []), controller.signal);
    controller.abort();
    await expect(peer.run('none/eager', 1)).rejects.toMatchObject({ name: 'AbortError' });
    await peer.close();
  });
});

describe('the largest resident set of a command', () => {
  it('is told by the command itself when it ends', async () => {
    const bytes = await peakMemoryOf(['-e', 'Buffer.alloc(200e6, 1)']);
    expect(bytes).toBeGreaterThan(200e6);
    expect(bytes).toBeLessThan(600e6);
  });

  it('is not to be had from one that fails', async () => {
    await expect(peakMemoryOf(['-e', 'process.exit(2)'])).rejects.toMatchObject({
      message: 'Cannot measure -e process.exit(2): expected exit status 0, got 2',
      hint: 'what it said itself stands above',
    });
  });
});
