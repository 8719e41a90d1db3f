/** What a rewrite is. */
import type { Node, Value } from '../graph.js';
import type { Editor } from './editor.js';

export interface Rule {
  readonly name: string;
  /** Where it saves time: everywhere, or with TensorFlow's kernels for the CPU alone, which it was measured with. */
  readonly on: 'everything' | 'cpu';
  /** The ops whose nodes it is asked about, where their one output is float32. */
  readonly ops: readonly string[];
  /**
   * Emits another form of such a node, and returns the value that takes its place: equal but for rounding. Undefined where
   * the rule has nothing to say; then it has emitted nothing that is used.
   */
  readonly apply: (node: Node & { readonly outputs: readonly [Value] }, editor: Editor) => number | undefined;
}
