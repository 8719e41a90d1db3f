/** One benchmark: turns taken here or between processes, fresh starts, and the figures printed. */
import { rm } from 'node:fs/promises';
import { type FreshSummary, freshSummary, ratiosOf, speedOf } from '../../bench/figures.js';
import { type FreshRun, freshRun, peakMemoryOf } from '../../bench/fresh.js';
import { measure, type Series } from '../../bench/measure.js';
import { type Command, withPeers } from '../../bench/peer.js';
import type { Hello, Program } from '../../bench/program.js';
import { temporaryFolder } from '../../common/files.js';
import { formatBytes } from '../../common/format.js';
import { describeMachine } from '../../common/machine.js';
import { loadFashionMnist } from '../../data/fashionMnist.js';
import { freshLines, headLines, ratioLines, speedLines } from '../../report/speedTable.js';
import { assertBatch } from '../../train/step.js';
import type { Session } from '../session.js';
import { type BenchFlags, contenders, openOwn, placeArguments, PROGRAM } from './contenders.js';

/** For the threads of the process before, which may still spin. */
const PAUSE_MS = 300;

interface Context extends Session {
  flags: BenchFlags;
}

interface Outcome {
  programs: Hello[];
  series: Series[];
  fresh?: FreshSummary[];
  /** Largest resident set of the training command, in bytes. */
  command?: { line: string; peakMemory: number };
}

/** Measures in this process, or this program and others in processes of their own, and prints. */
export async function runBench(flags: BenchFlags, session: Session): Promise<void> {
  const context = { flags, ...session };
  const alone = flags.peer.length === 0 && flags.starts === 0;
  const outcome = alone ? await measureAlone(context) : await measureProcesses(context);
  if (flags.json) session.terminal.printJson(jsonOf(flags, outcome));
  else session.terminal.print(...linesOf(flags, outcome, session.terminal.resultColumns()));
}

async function measureAlone(context: Context): Promise<Outcome> {
  const own = await openOwn(context.flags, context);
  try {
    return await takeTurns([own], 0, context);
  } finally {
    await own.close();
  }
}

async function measureProcesses(context: Context): Promise<Outcome> {
  const { flags, terminal, signal } = context;
  const { folder, train } = await loadFashionMnist({ ...flags, listener: terminal, signal });
  for (const norm of flags.norms) assertBatch(norm !== 'none', flags.batchSize, train.count);
  const commands = contenders(flags, folder);
  const outcome = await withPeers(commands, signal, (peers) => takeTurns(peers, PAUSE_MS, context));
  if (flags.starts === 0) return outcome;
  const steps = Math.ceil(train.count / flags.batchSize);
  const fresh = await startAnew(commands, outcome.programs, steps, context);
  return { ...outcome, fresh, command: await measureCommand(folder, context) };
}

async function takeTurns(programs: Program[], pause: number, { flags, terminal, signal }: Context): Promise<Outcome> {
  const { steps, turns } = flags;
  const onTurn = (turn: number) => terminal.notice(turn === 0 ? 'warm-up' : `turn ${turn}/${turns}`);
  const series = await measure(programs, { steps, turns, pause, signal, onTurn });
  return { programs: programs.map(({ hello }) => hello), series };
}

/** Each contestant of the first norm, in a process of its own, as often as --starts says. */
async function startAnew(
  commands: Command[],
  programs: Hello[],
  steps: number,
  { flags, terminal, signal }: Context,
): Promise<FreshSummary[]> {
  const starts = commands.flatMap((command, i) => {
    const { program, contestants } = programs[i] ?? { program: '', contestants: [] };
    const chosen = contestants.filter((name) => name.startsWith(`${flags.norms[0] ?? ''}/`));
    return chosen.map((name) => ({ program, name, command, runs: [] as FreshRun[] }));
  });
  for (let round = 1; round <= flags.starts; round++) {
    terminal.notice(`fresh start ${round}/${flags.starts}`);
    for (const { command, name, runs } of starts) runs.push(await freshRun(command, name, steps, signal));
  }
  return starts.map(({ program, name, runs }) => freshSummary({ program, name }, runs));
}

/** One epoch by the command that people train with. */
async function measureCommand(dataDir: string, { flags, signal }: Context): Promise<Outcome['command']> {
  const args = [flags.norms[0] ?? 'scratch', '--epochs', '1', '--seed', '1', '--batch-size', String(flags.batchSize)];
  const folder = temporaryFolder();
  try {
    const place = ['--run-dir', folder, '--data-dir', dataDir, ...placeArguments(flags)];
    return { line: `bn-train ${args.join(' ')}`, peakMemory: await peakMemoryOf([PROGRAM, ...args, ...place], signal) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function jsonOf({ turns, steps, batchSize }: BenchFlags, { programs, series, fresh, command }: Outcome): object {
  const figures = { speeds: series.map(speedOf), ratios: ratiosOf(series), fresh, command };
  return { machine: describeMachine(), programs, turns, steps, batchSize, ...figures };
}

/** Tables with an empty line between them. */
function linesOf({ turns, steps, batchSize }: BenchFlags, outcome: Outcome, columns?: number): string[] {
  const { programs, series, fresh, command } = outcome;
  const tables = [
    headLines(describeMachine(), programs, { turns, steps, batchSize }),
    speedLines(series.map(speedOf), columns),
    ratioLines(ratiosOf(series), columns),
    freshLines(fresh ?? [], columns),
    command ? [`${command.line}, evaluation included: peak memory ${formatBytes(command.peakMemory)}`] : [],
  ];
  return tables.filter((lines) => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}
