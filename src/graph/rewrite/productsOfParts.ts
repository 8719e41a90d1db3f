/** Products of all time steps with one matrix, each by itself: one product, before they are taken apart or after they are put together. */
import { attribute, type Node } from '../graph.js';
import type { Rule } from './rule.js';

const isAlong = (node: Node | undefined, op: string): node is Node => node?.op === op && attribute(node, 'axis') === 0;

const flagsOf = (node: Node) => ({ a: false, b: attribute(node, 'transpose_b') === true });

/** A product with `by`, as `flags` have it. */
function isProduct(node: Node | undefined, by: number | undefined, flags: { b: boolean }): node is Node {
  return (
    node?.op === 'MatMul' &&
    node.inputs[1] === by &&
    attribute(node, 'transpose_a') !== true &&
    flagsOf(node).b === flags.b
  );
}

/** xᵢ · W for all parts xᵢ of an x. */
export const productsOfParts: Rule = {
  name: 'productsOfParts',
  on: 'everything',
  ops: ['MatMul'],
  apply(node, editor) {
    const [part = 0, by = 0] = node.inputs;
    const unpacked = editor.producers.get(part);
    const flags = flagsOf(node);
    if (!isAlong(unpacked, 'Unpack') || unpacked.outputs.length < 2 || !isProduct(node, by, flags)) return undefined;
    const isRead = (id: number) => editor.readersOf(id).some((reader) => isProduct(reader, by, flags));
    if (!unpacked.outputs.every(({ id }) => isRead(id))) return undefined;
    const product = editor.matMul(editor.stack(unpacked.outputs.map(({ id }) => id)), by, flags);
    const parts = editor.unpack(product, unpacked.outputs.length);
    return parts[unpacked.outputs.findIndex(({ id }) => id === part)];
  },
};

/** Of all xᵢ · W the one tensor. */
export const packedProducts: Rule = {
  name: 'packedProducts',
  on: 'everything',
  ops: ['Pack'],
  apply(node, editor) {
    const products = node.inputs.flatMap((id) => editor.producers.get(id) ?? []);
    const [first] = products;
    if (!isAlong(node, 'Pack') || products.length !== node.inputs.length || products.length < 2 || !first)
      return undefined;
    const [by, flags] = [first.inputs[1], flagsOf(first)];
    if (!products.every((product) => isProduct(product, by, flags))) return undefined;
    const stacked = editor.stack(products.map((product) => product.inputs[0] ?? 0));
    return editor.reshape(editor.matMul(stacked, by ?? 0, flags), node.outputs[0].shape);
  },
};
