/** Σ AᵢᵀBᵢ, the gradient of a matrix that a step uses many times, as one product of all Aᵢ and all Bᵢ. */
import { attribute, type Node } from '../graph.js';
import type { Editor } from './editor.js';
import type { Rule } from './rule.js';

/** Fewer are not worth the copies that put them under each other. */
const LEAST = 4;

/** Of recurrent layers and of whatever else shares its weights: each time step has a term of its own. */
export const sumOfProducts: Rule = {
  name: 'sumOfProducts',
  on: 'everything',
  ops: ['Add', 'AddV2', 'AddN'],
  apply(node, editor) {
    const [{ id, shape }] = node.outputs;
    const [reader, ...others] = editor.readersOf(id);
    // The last sum of a chain has all terms.
    if (reader && others.length === 0 && isSum(reader, shape)) return undefined;
    const terms = isSum(node, shape) ? termsOf(node, shape, editor) : [];
    return terms.length < LEAST ? undefined : sum(terms, editor);
  },
};

const isSum = ({ op, outputs }: Node, shape: readonly number[]) =>
  /^Add(V2|N)?$/.test(op) && outputs[0]?.shape.join() === shape.join();

/** What a chain of sums, of which nobody else reads a part, adds up. */
function termsOf(node: Node, shape: readonly number[], editor: Editor): number[] {
  const terms: number[] = [];
  const waiting = [...node.inputs];
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    const producer = editor.producers.get(id);
    const isInner = producer && editor.readersOf(id).length === 1 && isSum(producer, shape);
    if (isInner) waiting.unshift(...producer.inputs);
    else if (editor.shape(id).join() !== shape.join()) return [];
    else terms.push(id);
  }
  return terms;
}

/** Undefined where no terms are of one kind. */
function sum(terms: readonly number[], editor: Editor): number | undefined {
  const kinds = new Map<string, number[]>();
  for (const [i, term] of terms.entries()) {
    const kind = kindOf(term, editor) ?? `${i}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), term]);
  }
  const groups = [...kinds.values()];
  if (groups.every(({ length }) => length < LEAST)) return undefined;
  const sums = groups.flatMap((group) => (group.length < LEAST ? group : [together(group, editor)]));
  return sums.reduce((a, b) => editor.elementwise('Add', a, b));
}

/** The same for terms that can be one; undefined for others, and for a term that is read elsewhere, too. */
function kindOf(term: number, editor: Editor): string | undefined {
  const node = editor.producers.get(term);
  const [x = 0, y = 0] = node?.inputs ?? [];
  if (!node || editor.readersOf(term).length !== 1) return undefined;
  const { op } = node;
  if (op === 'MatMul' && attribute(node, 'transpose_a') === true && attribute(node, 'transpose_b') !== true) return op;
  if (op === 'Sum' && editor.shape(x).length === 2 && editor.shape(term).length === 1)
    return editor.constants.get(y)?.values.join() === '0' ? op : undefined;
  if (op !== 'ConcatV2') return undefined;
  const parts = node.inputs.map((id) => editor.shape(id).join());
  return [op, editor.constants.get(node.inputs.at(-1) ?? 0)?.values.join(), ...parts].join(' ');
}

function together(group: readonly number[], editor: Editor): number {
  const nodes = group.map((term) => editor.producers.get(term) as Node);
  const [{ op, inputs }] = nodes as [Node];
  const input = (i: number) => (each: Node) => each.inputs[i] ?? 0;
  const shape = editor.shape(group[0] ?? 0);
  if (op === 'ConcatV2') {
    const add = (part: readonly number[]) =>
      sum(part, editor) ?? part.reduce((a, b) => editor.elementwise('Add', a, b));
    const parts = inputs.slice(0, -1).map((_, i) => add(nodes.map(input(i))));
    return editor.concat(parts, editor.constants.get(inputs.at(-1) ?? 0)?.values[0] ?? 0, shape);
  }
  // Gradients are made from the last time step to the first; equal stacks are one.
  const last = op === 'MatMul' ? 1 : 0;
  const ordered = nodes.toSorted((a, b) => editor.placeOf(input(last)(b)) - editor.placeOf(input(last)(a)));
  const stacked = editor.stack(ordered.map(input(last)));
  if (op === 'MatMul') return editor.matMul(editor.stack(ordered.map(input(0))), stacked, { a: true, b: false });
  return editor.reduce('Sum', stacked);
}
