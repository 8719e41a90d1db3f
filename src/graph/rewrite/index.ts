/** Rewrites a recorded graph into one that computes the same in less time. */
import { DTYPE, type Graph, type Node, type Value } from '../graph.js';
import { averagePoolGrad } from './averagePoolGrad.js';
import { convInputGrad } from './convInputGrad.js';
import { Editor } from './editor.js';
import { leakyReluGrad } from './leakyReluGrad.js';
import { matMul } from './matMul.js';
import { packedProducts, productsOfParts } from './productsOfParts.js';
import { reduceRows } from './reduceRows.js';
import type { Rule } from './rule.js';
import { sumOfProducts } from './sumOfProducts.js';
import { reshapes } from './reshapes.js';
import { sigmoidGrad } from './sigmoidGrad.js';
import { wideBroadcast } from './wideBroadcast.js';

export const RULES: readonly Rule[] = [
  reshapes,
  matMul,
  productsOfParts,
  packedProducts,
  sumOfProducts,
  sigmoidGrad,
  leakyReluGrad,
  averagePoolGrad,
  reduceRows,
  wideBroadcast,
  convInputGrad,
];

/** Those that were not measured with TensorFlow's kernels for the CPU alone. */
export const GENERAL_RULES = RULES.filter(({ on }) => on === 'everything');

/** Those that save time on a device, with or without XLA, which has code of its own on every one. */
export function rulesFor({ gpu, xla }: { gpu: boolean; xla: boolean }): readonly Rule[] {
  return gpu || xla ? GENERAL_RULES : RULES;
}

/** Each rule leaves behind ops that it does not match itself, so that two or three passes are enough. */
const MOST_PASSES = 10;

export interface Rewritten {
  graph: Graph;
  /** How often each rule was used. */
  fired: ReadonlyMap<string, number>;
}

/** Applies the rules until none has anything to say; equal ops become one, and what nobody reads is left out. */
export function rewrite(recorded: Graph, rules: readonly Rule[] = RULES): Rewritten {
  const fired = new Map<string, number>();
  const rulesOf = new Map<string, Rule[]>();
  for (const rule of rules) for (const op of rule.ops) rulesOf.set(op, [...(rulesOf.get(op) ?? []), rule]);
  let graph = recorded;
  for (let passes = 0; passes < MOST_PASSES; passes++) {
    const before = total(fired);
    graph = pass(graph, rulesOf, fired);
    if (total(fired) === before) return { graph, fired };
  }
  throw new Error(`the rewrites ${[...fired.keys()].join(', ')} find no end`);
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

type RulesByOp = ReadonlyMap<string, readonly Rule[]>;

function pass(graph: Graph, rules: RulesByOp, fired: Map<string, number>): Graph {
  const editor = new Editor(graph);
  const results = [...graph.outputs, ...graph.updates.values()];
  const read = new Set([...results.map(({ id }) => id), ...graph.nodes.flatMap(({ inputs }) => inputs)]);
  for (const recorded of graph.nodes) {
    const node = { ...recorded, inputs: recorded.inputs.map((id) => editor.current(id)) };
    const isOne = recorded.outputs.slice(1).every(({ id }) => !read.has(id));
    const by = isOne ? applyFirst(rules, node, editor, fired) : undefined;
    const outputs = by === undefined ? editor.add(node) : [by];
    for (const [i, { id }] of recorded.outputs.entries()) editor.replace(id, outputs[i] ?? id);
  }
  const current = ({ id }: Value) => editor.value(editor.current(id));
  const outputs = graph.outputs.map(current);
  const updates = new Map([...graph.updates].map(([i, value]) => [i, current(value)]));
  return { ...graph, outputs, updates, ...needed(editor, [...outputs, ...updates.values()]) };
}

function applyFirst(rules: RulesByOp, node: Node, editor: Editor, fired: Map<string, number>) {
  const [output] = node.outputs;
  if (output?.dtype !== DTYPE.float32) return undefined;
  for (const { name, apply } of rules.get(node.op) ?? []) {
    const by = apply({ ...node, outputs: [output] }, editor);
    if (by === undefined) continue;
    fired.set(name, (fired.get(name) ?? 0) + 1);
    return by;
  }
  return undefined;
}

/** The nodes and constants that lead to `results`. */
function needed({ nodes, constants }: Editor, results: readonly Value[]): Pick<Graph, 'nodes' | 'constants'> {
  const used = new Set(results.map(({ id }) => id));
  const kept: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some(({ id }) => used.has(id))) continue;
    kept.push(node);
    for (const id of node.inputs) used.add(id);
  }
  return { nodes: kept.reverse(), constants: new Map([...constants].filter(([id]) => used.has(id))) };
}
