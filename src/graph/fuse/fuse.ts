/** Makes of graphs such whose element-wise regions are an op each: generated code, compiled for this machine. */
import { readFile } from 'node:fs/promises';
import { sha256Of } from '../../common/files.js';
import { type Graph, type Node, sizeOf } from '../graph.js';
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

/** What a session is opened on instead of the plain graphs; only the reason where they cannot be fused. */
export interface FusedSteps {
  readonly encode?: (loops: boolean) => Uint8Array;
  readonly tag?: string;
  readonly kernels: Kernels | { readonly reason: string };
}

const HEADERS = ['math', 'loops', 'conv'].map((name) => new URL(`../../../src/graph/fuse/${name}.h`, import.meta.url));

/** How many elements of the largest output count as a row where there is no batch. */
const SHARE = 16384;

/** Recorded graphs, fused. Throws what the signal is aborted with. */
export async function fuseSteps(steps: readonly NamedGraph[], signal?: AbortSignal): Promise<FusedSteps> {
  const headers = await Promise.all(HEADERS.map((header) => readFile(header, 'utf8')));
  const planned = steps.map(({ name, graph }) => ({ name, ...plan(graph, headers.join('')) }));
  const sources = new Map(planned.flatMap((each) => [...each.sources]));
  if (sources.size === 0) return { kernels: { reason: 'there is nothing to fuse' } };
  const built = await buildLibrary([...sources.values()], { signal });
  if ('reason' in built) return { kernels: built };
  const { library, ...kernels } = built;
  const graphs = planned.map(({ name, graph }) => ({ name, graph: graph(library) }));
  const tag = planned.some(({ isInline }) => isInline) ? NAMES.inline : NAMES.fused;
  return { encode: (loops) => encodeSavedModel(graphs, { fused: true, tag, loops }), tag, kernels };
}

/** Regions' translation units by their symbols, and what becomes of the graph once they are compiled into a library. */
export function plan(recorded: Graph, headers: string) {
  // A step with values of no elements is none to save time in.
  if (hasEmpty(recorded)) return { sources: new Map<string, string>(), isInline: false, graph: () => recorded };
  const { graph } = rewrite(recorded, FUSED_RULES);
  const known = new Steps(graph, batchOf(graph));
  const regions = findRegions(known).map((region) => {
    const written = writeRegion(region, known);
    const symbol = `region_${sha256Of(written.source).slice(0, 16)}`;
    const largest = Math.max(1, ...written.outputs.map(({ shape }) => sizeOf(shape)));
    const rows = region.steps.some(({ byRow }) => byRow) ? known.rows : Math.ceil(largest / SHARE);
    return { ...written, steps: region.steps, symbol, rows };
  });
  return {
    sources: new Map(regions.map(({ symbol, source }) => [symbol, `${headers}\n${source.replace(NAME, symbol)}`])),
    // What is left to TensorFlow runs quicker side by side, where that is most of the work.
    isInline: regions.some(({ steps }) => steps.some(({ kernel }) => kernel)),
    graph: (library: string) =>
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

/** The size of the batch is that of the first input's first axis. */
function batchOf({ inputs }: Graph): number {
  const rows = inputs.find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
  return leads([rows], rows) ? rows : 1;
}

function node(region: WrittenRegion, known: Steps, at: { library: string; symbol: string; rows: number }): Node {
  const { inputs, outputs, forward } = region;
  return {
    op: 'BnTrainRegion',
    attributes: [
      { name: 'library', kind: 'string', value: at.library },
      { name: 'symbol', kind: 'string', value: at.symbol },
      { name: 'rows', kind: 'int', value: at.rows },
      { name: 'shapes', kind: 'shapes', value: outputs.map(({ shape }) => shape) },
      { name: 'forward', kind: 'int', value: forward },
      { name: 'Tin', kind: 'types', value: inputs.map((id) => known.value(id).dtype) },
      { name: 'Tout', kind: 'types', value: outputs.map(({ dtype }) => dtype) },
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
  const done = new Set<number>();
  const visit = (id: number) => {
    if (done.has(id)) return;
    const producer = producers.get(id);
    for (const output of producer?.outputs ?? [{ id }]) done.add(output.id);
    for (const input of producer?.inputs ?? []) visit(input);
    if (producer) nodes.push(producer);
  };
  for (const { id } of [...graph.outputs, ...graph.updates.values()]) visit(id);
  return { ...graph, nodes, constants: new Map([...graph.constants].filter(([id]) => done.has(id))) };
}
