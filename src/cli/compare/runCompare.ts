/** One comparison: its runs one after the other, each recorded, then the speed of the two layers, and the table. */
import * as os from 'node:os';
import { type LayerSpeed, measureLayers } from '../../bench/layerSpeed.js';
import { writeFileAtomic } from '../../common/files.js';
import { quoted, toType } from '../../common/invocation.js';
import { describeData, type FashionMnist, loadFashionMnist } from '../../data/fashionMnist.js';
import { assertTakes } from '../../nn/lenet.js';
import { comparisonLines, runLineOf, seedLines, seedsWords } from '../../report/comparisonLines.js';
import { backendLine } from '../../report/lines.js';
import { assertOwnData } from '../../run/config.js';
import { holdRunFolder, withNewRunFolder, writing } from '../../run/folder.js';
import { assertCalls, assertXla, configOf } from '../../run/recordedRun.js';
import { type BackendInfo, openReady } from '../../runtime/open.js';
import { type ComparisonState, concluded, fileOf, planned, readComparison } from '../../study/comparison.js';
import { secondsLeft } from '../../study/pace.js';
import { assertBatch, defaultMode } from '../../train/step.js';
import { recipeFrom } from '../options.js';
import { assertNoContradiction, contradiction } from '../resume.js';
import type { Session } from '../session.js';
import type { CompareFlags } from './compareCommand.js';
import { runOne } from './runOne.js';
import { leftWords, RunProgress } from './runProgress.js';

const SEEDS = 5;

/** In a new folder. */
export function beginComparison(flags: CompareFlags, session: Session): Promise<void> {
  return withNewRunFolder('compare', flags.runDir, async (folder) => {
    const { seed = 1, seeds = SEEDS } = flags;
    const recipe = recipeFrom(flags);
    const opened = await openAll(recipe, flags, session);
    const mode = flags.eager ? 'eager' : defaultMode({ xla: recipe.xla === true, fuse: flags.fuse });
    const {
      norm: _,
      seed: __,
      ...config
    } = configOf({ ...recipe, norm: 'none', seed }, opened.backend, mode, opened.data);
    await compare(folder, { config, seeds: seedsFrom(seed, seeds), runs: [] }, { flags, ...session, ...opened });
  });
}

/** Where a comparison was interrupted, with its own options. */
export async function resumeComparison(folder: string, flags: CompareFlags, session: Session): Promise<void> {
  // Before a lock would make the folder.
  await readComparison(folder);
  await holdRunFolder(folder, async () => {
    const begun = await readComparison(folder);
    assertSame(folder, begun, flags);
    const { config, seeds: own } = begun;
    const how = { eager: config.mode === 'eager', fuse: config.mode === 'fused', deterministic: config.deterministic };
    const device = flags.device === 'auto' ? config.device : flags.device;
    const opened = await openAll(config, { ...flags, ...how, backend: config.backend, device }, session);
    assertOwnData(folder, config, opened.data);
    const seeds = seedsFrom(own[0] ?? 1, flags.seeds ?? own.length);
    await compare(folder, { ...begun, seeds }, { flags, ...session, ...opened });
  });
}

const seedsFrom = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** What a comparison computes is decided when it begins; only its seeds may become more. */
function assertSame(folder: string, { config, seeds }: ComparisonState, flags: CompareFlags): void {
  const own = { ...config, norm: 'none' as const, seed: seeds[0] ?? 1 };
  assertNoContradiction(folder, own, { ...flags, resume: undefined });
  if (flags.epochs !== undefined && flags.epochs !== own.epochs)
    throw contradiction(folder, `--epochs ${own.epochs}, with which it began`, `--epochs ${flags.epochs}`, '--epochs');
  if (flags.seeds !== undefined && flags.seeds < seeds.length)
    throw contradiction(
      folder,
      `--seeds ${seeds.length} or more, with which it began`,
      `--seeds ${flags.seeds}`,
      '--seeds',
    );
}

interface Opened {
  backend: BackendInfo;
  data: FashionMnist;
}

/** Throws a BnTrainError of usage before anything is installed or fetched, where that can be told so early. */
async function openAll(
  { batchSize, xla }: { batchSize: number; xla?: boolean | undefined },
  flags: CompareFlags,
  { terminal: listener, signal }: Session,
): Promise<Opened> {
  assertBatch(true, batchSize);
  const asked = { mode: flags.eager ? 'eager' : 'graph', backend: flags.backend } as const;
  assertXla({ ...asked, xla });
  assertCalls({ ...flags, ...asked });
  const backend = await openReady(flags, { listener, signal });
  const data = await loadFashionMnist({ ...flags, listener, signal });
  assertBatch(true, batchSize, data.train.count);
  assertTakes({ classes: data.classes, height: data.train.height, width: data.train.width });
  signal.throwIfAborted();
  if (flags.anyData) listener.notice(`${data.name}: ${describeData(data)}`);
  return { backend, data };
}

interface Context extends Session, Opened {
  flags: CompareFlags;
}

async function compare(folder: string, begun: ComparisonState, context: Context): Promise<void> {
  const { flags, terminal, signal, saves, backend } = context;
  const cores = `${os.availableParallelism()} cores`;
  terminal.notice(`${seedsWords(begun.seeds)}: ${backendLine(backend)}, ${cores}; folder ${folder}`);
  saves();
  await keep(folder, begun);
  const state = await runAll(folder, begun, context);
  const isWhole = state.runs.length === planned(state.seeds).length;
  const speed = isWhole && flags.turns > 0 ? await measureSpeed(state, context) : null;
  if (signal.aborted || !isWhole) {
    const own = flags.anyData ? ` --any-data --data-dir ${quoted(flags.dataDir ?? '')}` : '';
    return terminal.notice(`kept in ${folder}; to go on: ${toType(`compare --resume ${quoted(folder)}${own}`)}`);
  }
  const comparison = concluded(state, speed);
  await keep(folder, comparison);
  const { name, device, fallback } = backend;
  if (flags.json) return terminal.printJson({ backend: name, device, fallback, ...comparison, directory: folder });
  const columns = terminal.resultColumns();
  terminal.print(
    ...comparisonLines(comparison, columns),
    ...(flags.everySeed ? ['', ...seedLines(comparison, columns)] : []),
  );
}

/** Those of the plan that are not there yet; less than all where it was interrupted. */
async function runAll(folder: string, begun: ComparisonState, context: Context): Promise<ComparisonState> {
  const { terminal, signal, data } = context;
  let state = begun;
  const plan = planned(begun.seeds);
  const isDone = ({ norm, seed }: { norm: string; seed: number }) =>
    state.runs.some((run) => run.norm === norm && run.seed === seed);
  for (const one of plan) {
    if (isDone(one)) continue;
    if (signal.aborted) break;
    const after = plan.filter((other) => other !== one && !isDone(other)).map(({ norm }) => norm);
    const timed = state.runs.flatMap(({ norm, wallSeconds }) =>
      wallSeconds === null ? [] : [{ kind: norm, seconds: wallSeconds }],
    );
    const number = `${state.runs.length + 1}/${plan.length}`;
    const progress = new RunProgress(
      `${number} ${one.norm}, seed ${one.seed}`,
      one.norm,
      timed,
      after,
      terminal.progress,
    );
    const run = await runOne(one, {
      ...{ folder, config: state.config, data, signal, notice: terminal.notice },
      onEvent: (event) => {
        // Which warns of steps that could not be fused, once.
        if (event.type === 'start' && one === plan[0]) terminal.train(event);
        progress.hear(event);
      },
    });
    if (!run) break;
    state = { ...state, runs: [...state.runs, run] };
    await keep(folder, state);
    const mean = run.wallSeconds === null ? timed : [...timed, { kind: run.norm, seconds: run.wallSeconds }];
    const left = secondsLeft({ done: mean, left: after });
    const rest = after.length === 0 || left === undefined ? '' : `   ${leftWords(left)}`;
    terminal.notice(`${number} ${runLineOf(run)}${rest}`);
  }
  return state;
}

/** Null where it was interrupted. */
async function measureSpeed(
  { config, runs }: ComparisonState,
  { flags: { turns }, terminal, signal, data }: Context,
): Promise<LayerSpeed | null> {
  const { examplesPerSecond } = runs.find(({ norm, final }) => norm === 'scratch' && final)?.final ?? {
    examplesPerSecond: 1,
  };
  const mode = runs.at(-1)?.mode ?? config.mode;
  terminal.notice('which layer is faster: both in turn');
  const onTurn = (turn: number) =>
    terminal.progress({ label: 'speed', done: turn, total: turns + 1, figures: `turn ${turn} of ${turns}` });
  return measureLayers({ ...config, mode, data, turns, examplesPerSecond, signal, onTurn }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return null;
  });
}

function keep(folder: string, content: object): Promise<void> {
  return writing(folder, () => writeFileAtomic(fileOf(folder), `${JSON.stringify(content, null, 2)}\n`));
}
