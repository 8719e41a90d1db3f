/** What a step asked of TensorFlow, in order: written down in a first run, compared in a second one. */
import type * as tf from '@tensorflow/tfjs';
import { type Attribute, type Constant, DTYPE, type Node, type Values } from './graph.js';
import { registeredVariables } from './guard.js';
import type { Binding, NativeBackend, OpAttribute, TensorMetadata } from './native.js';
import { differs, refuse } from './refusal.js';

type Entry = { constant: Constant; node?: undefined } | { node: Node; constant?: undefined };

const CONSTANT_TYPES: readonly number[] = Object.values(DTYPE);

export class Tape {
  readonly entries: Entry[] = [];
  /** Ids that an op of the graph may read. */
  private readonly known: Set<number>;
  private readonly made = new WeakSet();
  private replayed = 0;

  constructor(
    private readonly backend: NativeBackend,
    given: readonly { id: number }[],
  ) {
    this.known = new Set(given.map(({ id }) => id));
  }

  /** Notes values that became a tensor during the step; a constant is made of such, and of no others. */
  readonly written = (values: object): void => void this.made.add(values);

  /** A binding that does what it is asked, and writes it down. */
  recorder(): Binding {
    const { binding } = this.backend;
    return withFunctions(binding, {
      createTensor: (shape, dtype, values) => {
        this.assertConstant(shape, dtype, values);
        const id = binding.createTensor(shape, dtype, values);
        this.known.add(id);
        this.entries.push({ constant: { id, shape: [...shape], dtype, values: values.slice() as Values } });
        return id;
      },
      executeOp: (op, attributes, inputs, count) => {
        for (const id of inputs) if (!this.known.has(id)) throw this.foreign(op, id);
        const outputs = binding.executeOp(op, attributes, inputs, count);
        for (const { id } of outputs) this.known.add(id);
        const named = attributes.map((given) => translate(binding, op, given));
        this.entries.push({ node: { op, attributes: named, inputs: [...inputs], outputs } });
        return outputs;
      },
    });
  }

  /** A binding that computes nothing: it answers from the tape, and throws where the step asks for something else. */
  replayer(): Binding {
    const { binding } = this.backend;
    return withFunctions(binding, {
      createTensor: (shape, dtype, values) => {
        const { constant } = this.next();
        if (!constant || !sameConstant(constant, { shape, dtype, values })) throw this.differsAt(constant?.id);
        return constant.id;
      },
      executeOp: (op, attributes, inputs) => {
        const { node } = this.next();
        const named = attributes.map((given) => translate(binding, op, given));
        if (node?.op !== op || !same(node.inputs, inputs) || !same(node.attributes, named))
          throw differs(`${op} instead of ${node?.op ?? 'a constant'}, or other arguments of it,`);
        return node.outputs as TensorMetadata[];
      },
      deleteTensor: () => undefined,
    });
  }

  assertReplayed(): void {
    if (this.replayed < this.entries.length) throw differs('fewer ops');
  }

  private next(): Partial<Entry> {
    return this.entries[this.replayed++] ?? {};
  }

  private assertConstant(shape: number[], dtype: number, values: unknown): asserts values is Values {
    if (!CONSTANT_TYPES.includes(dtype) || !ArrayBuffer.isView(values))
      throw refuse(`a constant of TensorFlow's type ${dtype}`, 'use float32, int32 or bool');
    if (!this.made.has(values)) throw this.outside(shape);
  }

  private outside(shape: readonly number[], op = 'an op', name = 'a tensor'): Error {
    return refuse(
      `${op} reading ${name} of shape [${shape.join(', ')}] that was made outside`,
      'make it an input or list it in variables; for an optimizer see optimizerVariables(optimizer, trainable)',
    );
  }

  private foreign(op: string, id: number): Error {
    const idOf = ({ dataId }: tf.Tensor) => this.backend.tensorMap.get(dataId).id;
    const variable = registeredVariables().find((candidate) => idOf(candidate) === id);
    return this.outside(variable?.shape ?? [], op, variable && `the variable ${variable.name}`);
  }

  private differsAt(constant: number | undefined): Error {
    const reader = this.entries.find(({ node }) => constant !== undefined && node?.inputs.includes(constant));
    return differs(`another constant${reader?.node ? ` for ${reader.node.op}` : ''}`);
  }
}

function translate(binding: Binding, op: string, { name, type, value }: OpAttribute): Attribute {
  if (type === binding.TF_ATTR_TYPE && typeof value === 'number') return { name, kind: 'type', value };
  if (type === binding.TF_ATTR_FLOAT && typeof value === 'number') return { name, kind: 'float', value };
  if (type === binding.TF_ATTR_INT && typeof value === 'number') return { name, kind: 'int', value };
  if (type === binding.TF_ATTR_INT && Array.isArray(value)) return { name, kind: 'int', value: value as number[] };
  if (type === binding.TF_ATTR_BOOL && typeof value === 'boolean') return { name, kind: 'bool', value };
  if (type === binding.TF_ATTR_STRING && typeof value === 'string') return { name, kind: 'string', value };
  throw refuse(`${op} with the attribute ${name} = ${JSON.stringify(value)}`, 'use another op');
}

/** A plain copy with some functions exchanged: the addon's own object is read-only. */
function withFunctions(binding: Binding, functions: Partial<Binding>): Binding {
  const copy: Record<string, unknown> = {};
  for (const name of Object.getOwnPropertyNames(binding)) {
    const value: unknown = binding[name as keyof Binding];
    copy[name] = typeof value === 'function' ? (value.bind(binding) as unknown) : value;
  }
  return { ...(copy as unknown as Binding), ...functions };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sameConstant(a: Constant, b: { shape: number[]; dtype: number; values: ArrayBufferView }): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);
  return same([a.shape, a.dtype], [b.shape, b.dtype]) && bytes(a.values).equals(bytes(b.values));
}

