/** What only a fresh process can tell: how long until the first step is trained, and the memory of one epoch alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { cannot } from '../common/errors.js';
import { type Command, startPeer } from './peer.js';
import type { Turn } from './program.js';

/** Loss and accuracy are of the steps after the first. */
export interface FreshRun extends Pick<Turn, 'peakMemory' | 'loss' | 'accuracy'> {
  /** From the start of the process to its first trained step, read back. */
  firstStepSeconds: number;
}

/** Starts a program for one contestant alone and has it train one step, which is timed, and then `steps` more. */
export async function freshRun(command: Command, name: string, steps: number, signal?: AbortSignal): Promise<FreshRun> {
  const started = performance.now();
  const peer = await startPeer(command, signal);
  try {
    await peer.run(name, 1);
    const firstStepSeconds = (performance.now() - started) / 1000;
    const { peakMemory, loss, accuracy } = await peer.run(name, steps);
    return { firstStepSeconds, peakMemory, loss, accuracy };
  } finally {
    await peer.close();
  }
}

/** Runs a Node program to its end and returns its largest resident set, in bytes; its results are not shown. */
export async function peakMemoryOf(args: string[], signal?: AbortSignal): Promise<number> {
  const report = `import { writeSync } from 'node:fs';
    process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS * 1024)));`;
  const preload = ['--import', `data:text/javascript,${encodeURIComponent(report)}`];
  const child = spawn(process.execPath, [...process.execArgv, ...preload, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    signal,
  });
  const [bytes, [code]] = await Promise.all([
    text(child.stdio[3] as NodeJS.ReadableStream),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  if (code === 0) return Number(bytes);
  throw cannot(`measure ${args.join(' ')}`, {
    expected: 'exit status 0',
    got: String(code),
    hint: 'what it said itself stands above',
  });
}
