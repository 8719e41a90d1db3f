/** Writes a network as a SavedModel that TensorFlow serves: its weights within the graph, a batch of any size. */
import { type Attribute, type Constant, DTYPE, type Graph, type Node, types, type Value } from '../graph/graph.js';
import { GraphWriter, typeAttr } from '../graph/write/nodes.js';
import { PRODUCER } from '../graph/write/savedModel.js';
import type { Network, Step, Weights } from './network.js';

const { float32, int32 } = DTYPE;
const OPS = { sigmoid: 'Sigmoid', relu: 'Relu', tanh: 'Tanh', average: 'AvgPool', max: 'MaxPool' } as const;
const FLOATS = types({ T: float32 });

/**
 * The bytes of a saved_model.pb with the tag `serve` and the signature `serving_default`: `images`, [batch, height, width,
 * channels], to `logits` and `probabilities`, [batch, classes].
 */
export function encodeServing({ image, classes, steps }: Network): Uint8Array {
  const writer = new GraphWriter();
  const images = { dtype: float32, shape: [-1, ...image] };
  const results = { dtype: float32, shape: [-1, classes] };
  const graph = graphOf(steps, images);
  const nameOf = writer.body(graph, {
    prefix: 'network',
    inputs: [writer.placeholder('images', images)],
    variables: [],
  });
  const outputs = ['logits', 'probabilities'].map((name, i) => {
    const from = nameOf(graph.outputs[i] as Value);
    return [writer.add('Identity', name, [from], { T: typeAttr(float32) }), results] as const;
  });
  writer.signature('serving_default', [['images', images]], outputs, 'tensorflow/serving/predict');
  return writer.savedModel('serve', PRODUCER);
}

function graphOf(steps: readonly Step[], images: Omit<Value, 'id'>): Graph {
  const input = { id: 0, ...images };
  const builder = new GraphBuilder(input);
  for (const step of steps) addStep(builder, step);
  const logits = builder.value;
  builder.apply('Softmax', FLOATS);
  const { constants, nodes, value } = builder;
  return { inputs: [input], variables: [], constants, nodes, outputs: [logits, value], updates: new Map() };
}

function addStep(builder: GraphBuilder, step: Step): void {
  switch (step.kind) {
    case 'convolution':
      builder.apply('Conv2D', [...FLOATS, ...windows(step)], [builder.weights(step.kernel)]);
      return addBias(builder, step.bias);
    case 'pooling':
      return builder.apply(OPS[step.of], [...FLOATS, ...windows(step), ints('ksize', [1, ...step.size, 1])]);
    case 'dense':
      builder.apply('MatMul', FLOATS, [builder.weights(step.kernel)]);
      return addBias(builder, step.bias);
    case 'activation':
      return builder.apply(OPS[step.of], FLOATS);
    case 'flatten': {
      const shape = builder.constant({ dtype: int32, shape: [2], values: Int32Array.of(-1, step.size) });
      return builder.apply('Reshape', types({ T: float32, Tshape: int32 }), [shape]);
    }
  }
}

function addBias(builder: GraphBuilder, bias: Weights | undefined): void {
  if (bias) builder.apply('BiasAdd', FLOATS, [builder.weights(bias)]);
}

const ints = (name: string, value: readonly number[]): Attribute => ({ name, kind: 'int', value });

function windows({ strides, padding }: { strides: readonly number[]; padding: string }): Attribute[] {
  return [ints('strides', [1, ...strides, 1]), { name: 'padding', kind: 'string', value: padding.toUpperCase() }];
}

class GraphBuilder {
  readonly constants = new Map<number, Constant>();
  readonly nodes: Node[] = [];
  private count = 1;

  /** `value` is the one at hand. */
  constructor(public value: Value) {}

  constant(constant: Omit<Constant, 'id'>): number {
    const id = this.count++;
    this.constants.set(id, { id, ...constant });
    return id;
  }

  weights({ shape, values }: Weights): number {
    return this.constant({ dtype: float32, shape, values });
  }

  /** The op's result, whose shape TensorFlow finds by itself, is then at hand. */
  apply(op: string, attributes: readonly Attribute[], others: readonly number[] = []): void {
    const output = { id: this.count++, dtype: float32, shape: [] };
    this.nodes.push({ op, attributes, inputs: [this.value.id, ...others], outputs: [output] });
    this.value = output;
  }
}
