/** Makes of graphs such whose element-wise regions are an op each: generated code, compiled for this machine. */
import { readFile } from 'node:fs/promises';
import { sha256Of } from '../../common/files.js';
import { type Attribute, type Constant, type Graph, type Node, sizeOf, type Value } from '../graph.js';
import { rewrite } from '../rewrite/index.js';
import { encodeSavedModel, type NamedGraph, NAMES } from '../write/savedModel.js';
import { leads } from './geometry.js';
import { buildLibrary } from './library.js';
import { FUSED_RULES } from './lower.js';
import { findRegions } from './regions.js';
import { Steps } from './loops.js';
import { NAME, type WrittenRegion, writeRegion } from './write.js';

/** What fused steps run: the kernels, known by a hash of all that they were made from, and the compiler that made them. */
export interface Kernels {
  readonly hash: string;
  readonly compiler: string;
}

export interface Fused {
  readonly graphs: readonly Graph[];
  readonly kernels: Kernels;
  /** Whether most of the work is done by regions, which share it among threads themselves. */
  readonly isInline: boolean;
}

/** A graph whose regions are known, and what becomes of it once they are compiled into a library. */
interface Planned {
  /** By symbol: its translation unit. */
  readonly sources: ReadonlyMap<string, string>;
  readonly isInline: boolean;
  readonly graph: (library: string) => Graph;
}

const HEADERS = ['math.h', 'conv.h'].map((name) => new URL(`../../../src/graph/fuse/${name}`, import.meta.url));

/** How many elements count as a row where there is no batch. */
const SHARE = 16384;

/** Recorded graphs, fused; or the reason why they cannot be. Throws what the signal is aborted with. */
export async function fuse(graphs: readonly Graph[], signal?: AbortSignal): Promise<Fused | { reason: string }> {
  const headers = await Promise.all(HEADERS.map((header) => readFile(header, 'utf8')));
  const planned = graphs.map((graph) => plan(graph, headers.join('')));
  const sources = new Map(planned.flatMap((each) => [...each.sources]));
  if (sources.size === 0) return { reason: 'there is nothing to fuse' };
  const built = await buildLibrary([...sources.values()], { signal });
  if ('reason' in built) return built;
  const { library, ...kernels } = built;
  const isInline = planned.some((each) => each.isInline);
  return { graphs: planned.map(({ graph }) => graph(library)), kernels, isInline };
}

/** What a session is opened on instead of the plain graphs; only the reason where they cannot be fused. */
export interface FusedSteps {
  readonly bytes?: Uint8Array;
  readonly tag?: string;
  readonly kernels: Kernels | { readonly reason: string };
}

export async function fuseSteps(steps: readonly NamedGraph[], signal?: AbortSignal): Promise<FusedSteps> {
  const fused = await fuse(
    steps.map(({ graph }) => graph),
    signal,
  );
  if ('reason' in fused) return { kernels: fused };
  const graphs = fused.graphs.map((graph, i) => ({ name: steps[i]?.name ?? '', graph }));
  const tag = fused.isInline ? NAMES.inline : NAMES.tag;
  return { bytes: encodeSavedModel(graphs, { fused: true, tag }), tag, kernels: fused.kernels };
}

export function plan(recorded: Graph, headers: string): Planned {
  // A step with values of no elements is none to save time in.
  if (hasEmpty(recorded)) return { sources: new Map(), isInline: false, graph: () => recorded };
  const { graph } = rewrite(recorded, FUSED_RULES);
  const known = new Steps(graph, batchOf(graph));
  const regions = findRegions(known).map((region) => {
    const written = writeRegion(region, known);
    const symbol = `region_${sha256Of(written.source).slice(0, 16)}`;
    const rows = region.steps.some(({ byRow }) => byRow) ? known.rows : sharesOf(written.outputs);
    return { ...written, steps: region.steps, symbol, rows };
  });
  return {
    sources: new Map(regions.map(({ symbol, source }) => [symbol, `${headers}\n${source.replace(NAME, symbol)}`])),
    isInline: regions.some(({ steps }) => steps.some(({ kernel }) => kernel)),
    graph: (library) =>
      sorted(
        graph,
        known,
        regions.map((region) => node(region, known, { ...region, library })),
      ),
  };
}

function hasEmpty({ inputs, variables, nodes }: Graph): boolean {
  const values = [...inputs, ...variables, ...nodes.flatMap(({ outputs }) => outputs)];
  return values.some(({ shape }) => sizeOf(shape) === 0);
}

/** How many chunks are worth while where there is no batch. */
function sharesOf(outputs: readonly Value[]): number {
  return Math.ceil(Math.max(1, ...outputs.map(({ shape }) => sizeOf(shape))) / SHARE);
}

/** The size of the batch is that of the first input's first axis. */
function batchOf({ inputs }: Graph): number {
  const rows = inputs.find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
  return leads([rows], rows) ? rows : 1;
}

function node(region: WrittenRegion, known: Steps, at: { library: string; symbol: string; rows: number }): Node {
  const { inputs, outputs, forward } = region;
  const types = (name: string, values: readonly Value[]): Attribute => ({
    name,
    kind: 'types',
    value: values.map(({ dtype }) => dtype),
  });
  return {
    op: 'BnTrainRegion',
    attributes: [
      { name: 'library', kind: 'string', value: at.library },
      { name: 'symbol', kind: 'string', value: at.symbol },
      { name: 'rows', kind: 'int', value: at.rows },
      { name: 'shapes', kind: 'shapes', value: outputs.map(({ shape }) => shape) },
      { name: 'forward', kind: 'int', value: forward },
      types(
        'Tin',
        inputs.map((id) => known.value(id)),
      ),
      types('Tout', outputs),
    ],
    inputs,
    outputs,
  };
}

/** The graph with regions in the place of what they compute, each node after those it needs. */
function sorted(graph: Graph, known: Steps, regions: readonly Node[]): Graph {
  const producers = new Map(known.producers);
  for (const region of regions) for (const { id } of region.outputs) producers.set(id, region);
  const nodes: Node[] = [];
  const done = new Set<Node>();
  const constants = new Map<number, Constant>();
  const visit = (id: number) => {
    const constant = graph.constants.get(id);
    if (constant) constants.set(id, constant);
    const producer = producers.get(id);
    if (!producer || done.has(producer)) return;
    done.add(producer);
    for (const input of producer.inputs) visit(input);
    nodes.push(producer);
  };
  for (const { id } of [...graph.outputs, ...graph.updates.values()]) visit(id);
  return { ...graph, nodes, constants };
}
