/** What a rewrite is. */
import type { Node } from '../graph.js';
import type { Editor } from './editor.js';

export interface Rule {
  readonly name: string;
  /** Where it saves time: everywhere, or with TensorFlow's kernels for the CPU alone, which it was measured with. */
  readonly on: 'everything' | 'cpu';
  /**
   * Emits another form of a node with one output, and returns the value that takes its place: equal but for rounding.
   * Undefined where the rule has nothing to say; then it has emitted nothing that is used.
   */
  readonly apply: (node: Node, editor: Editor) => number | undefined;
}
