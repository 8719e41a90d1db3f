/** Writes a network as an ONNX model: opset 13, float32, a batch of any size. */
import { each, int, message, text, type Wire } from '../common/wire.js';
import type { Network, Step, Weights } from './network.js';

/** Of the format, and of the operators that are used; every runtime since 2021 knows them. */
const [IR_VERSION, OPSET] = [7, 13];
const FLOAT = 1;
/** Kinds of attributes. */
const [INT, STRING, INTS] = [2, 3, 7];
const OPERATORS = { sigmoid: 'Sigmoid', relu: 'Relu', tanh: 'Tanh', average: 'AveragePool', max: 'MaxPool' } as const;

/**
 * The bytes of a .onnx file. Its input `images` is [batch, height, width, channels], as the network's; its outputs are
 * `logits` and `probabilities`, [batch, classes]. Within, images have their channels first, as ONNX's operators want them.
 */
export function encodeOnnx({ image, classes, steps }: Network, version: string): Uint8Array {
  const writer = new OnnxWriter('images');
  for (const step of steps) writer.step(step);
  const logits = writer.output('Identity', 'logits');
  writer.output('Softmax', 'probabilities', { axis: -1 });
  const graph =
    writer.content() +
    text(2, 'bn-train') +
    message(11, valueInfo('images', image)) +
    each([logits, 'probabilities'], (name) => message(12, valueInfo(name, [classes])));
  const opset = message(8, text(1, '') + int(2, OPSET));
  const model = int(1, IR_VERSION) + text(2, 'bn-train') + text(3, version) + message(7, graph) + opset;
  return Buffer.from(model, 'latin1');
}

/** Of float32 values with a batch in front. */
function valueInfo(name: string, shape: readonly number[]): Wire {
  const sizes = message(1, text(2, 'batch')) + each(shape, (size) => message(1, int(1, size)));
  return text(1, name) + message(2, message(1, int(1, FLOAT) + message(2, sizes)));
}

type Attributes = Readonly<Record<string, number | string | readonly number[]>>;

function attribute([name, value]: [string, Attributes[string]]): Wire {
  if (typeof value === 'number') return text(1, name) + int(3, value) + int(20, INT);
  if (typeof value === 'string') return text(1, name) + text(4, value) + int(20, STRING);
  return text(1, name) + each(value, (one) => int(8, one)) + int(20, INTS);
}

class OnnxWriter {
  private nodes: Wire = '';
  private initializers: Wire = '';
  private count = 0;
  /** Whether the value at hand is an image with its channels first. */
  private isChannelsFirst = false;

  /** `value` is the name of the value at hand. */
  constructor(private value: string) {}

  content(): Wire {
    return this.nodes + this.initializers;
  }

  step(step: Step): void {
    switch (step.kind) {
      case 'convolution': {
        const [height = 0, width = 0] = step.kernel.shape;
        this.channels('first');
        const weights = [this.weights(outputsFirst(step.kernel)), ...this.bias(step.bias)];
        return this.apply('Conv', { kernel_shape: [height, width], ...windows(step) }, weights);
      }
      case 'pooling':
        this.channels('first');
        return this.apply(OPERATORS[step.of], { kernel_shape: step.size, ...windows(step) });
      case 'dense':
        return this.apply('Gemm', {}, [this.weights(step.kernel), ...this.bias(step.bias)]);
      case 'activation':
        return this.apply(OPERATORS[step.of]);
      case 'flatten':
        this.channels('last');
        return this.apply('Flatten', { axis: 1 });
    }
  }

  /** Makes a value of this name of the one at hand, which stays at hand. */
  output(operator: string, name: string, attributes: Attributes = {}): string {
    this.node(operator, [this.value], name, attributes);
    return name;
  }

  private apply(operator: string, attributes: Attributes = {}, weights: readonly string[] = []): void {
    const name = `${operator}_${this.count++}`;
    this.node(operator, [this.value, ...weights], name, attributes);
    this.value = name;
  }

  private channels(where: 'first' | 'last'): void {
    if (this.isChannelsFirst === (where === 'first')) return;
    this.apply('Transpose', { perm: where === 'first' ? [0, 3, 1, 2] : [0, 2, 3, 1] });
    this.isChannelsFirst = where === 'first';
  }

  private bias(bias: Weights | undefined): string[] {
    return bias ? [this.weights(bias)] : [];
  }

  private weights({ shape, values }: Weights): string {
    const name = `weights_${this.count++}`;
    const content = Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('latin1');
    const tensor = each(shape, (size) => int(1, size)) + int(2, FLOAT) + text(8, name) + message(9, content);
    this.initializers += message(5, tensor);
    return name;
  }

  private node(operator: string, inputs: readonly string[], output: string, attributes: Attributes): void {
    const names = each(inputs, (input) => text(1, input)) + text(2, output) + text(3, output) + text(4, operator);
    this.nodes += message(1, names + each(Object.entries(attributes), (entry) => message(5, attribute(entry))));
  }
}

/** An average leaves out what padding adds, in ONNX as in TensorFlow. */
function windows({ strides, padding }: { strides: readonly number[]; padding: 'valid' | 'same' }): Attributes {
  return { strides, auto_pad: padding === 'same' ? 'SAME_UPPER' : 'VALID' };
}

/** [height, width, inputs, outputs] → [outputs, inputs, height, width]. */
function outputsFirst({ shape, values }: Weights): Weights {
  const [height = 0, width = 0, inputs = 0, outputs = 0] = shape;
  const result = new Float32Array(values.length);
  for (const [i, value] of values.entries()) {
    const [position, channels] = [Math.floor(i / (inputs * outputs)), i % (inputs * outputs)];
    result[((channels % outputs) * inputs + Math.floor(channels / outputs)) * height * width + position] = value;
  }
  return { shape: [outputs, inputs, height, width], values: result };
}
