/** What a step asked of TensorFlow, in order: written down in a first run, compared in a second one. */
import type * as tf from '@tensorflow/tfjs';
import { messageOf } from '../../common/errors.js';
import { type Attribute, type Constant, DTYPE, type Graph, type Node, sizeOf, types, type Value } from '../graph.js';
import { registeredVariables } from './guard.js';
import { type Binding, type NativeBackend, type OpAttribute, withFunctions } from '../binding.js';
import { INPUT_TYPES } from './inputTypes.js';
import type { Accepted } from './again.js';
import type { Written } from './rate.js';
import { differs, LIST_IT, refuse, unlessDrawn } from './refusal.js';

const attributesOf = new Map(
  Object.entries(INPUT_TYPES).flatMap(([named, ops]) => ops.match(/\w+/g)?.map((op) => [op, named.split(' ')]) ?? []),
);

/** Ops whose output's shape follows from values, which a graph cannot know beforehand. */
const VALUE_SHAPED = /^(UniqueV2|Where|NonMaxSuppressionV\d|SparseFillEmptyRows)$/;

const CONSTANT_TYPES: readonly number[] = Object.values(DTYPE);

/** What does the ops of a step that is recorded. */
export type Executor = Pick<Binding, 'createTensor' | 'executeOp' | 'deleteTensor'>;

export class Tape {
  private readonly entries: (Constant | Node)[] = [];
  /** Ids that an op of the graph may read, and their types. */
  private readonly known: Map<number, number>;
  private replayed = 0;

  constructor(
    private readonly backend: NativeBackend,
    given: readonly Value[],
    /** The id of a given value that stands for the nth values that a step writes, instead of a constant. */
    private readonly standsFor: (written: Written, nth: number) => number | undefined,
  ) {
    this.known = new Map(given.map(({ id, dtype }) => [id, dtype]));
  }

  /** Values that became a tensor during the step; a constant is made of such, and of no others. */
  readonly written = new WeakSet();

  /** A binding that has `executor` do what it is asked, and writes it down. */
  recorder(executor: Executor): Binding {
    const given = new Set(this.known.keys());
    let nth = 0;
    return withFunctions(this.backend.binding, {
      ...executor,
      deleteTensor: (id) => {
        if (!given.has(id)) executor.deleteTensor(id);
      },
      runSavedModel: refuseNested,
      createTensor: (shape, dtype, values) => {
        // Values from outside that only now reach TensorFlow are no constant: the op that reads them is refused.
        if (!this.written.has(values)) return executor.createTensor(shape, dtype, values);
        const known = this.standsFor({ shape, dtype, values }, nth++);
        if (known !== undefined) return known;
        const id = executor.createTensor(shape, dtype, values);
        if (!CONSTANT_TYPES.includes(dtype)) throw refuse('a constant of strings', 'turn them into numbers outside');
        this.known.set(id, dtype);
        this.entries.push({ id, shape: [...shape], dtype, values: (values as Constant['values']).slice() });
        return id;
      },
      executeOp: (op, attributes, inputs, count) => {
        for (const id of inputs) if (!this.known.has(id)) throw this.foreign(op, id);
        if (VALUE_SHAPED.test(op)) throw refuse(`${op}, whose result's shape follows from values`, 'do it outside');
        const translated = this.translate(op, attributes, inputs);
        const outputs = attempt(op, () => executor.executeOp(op, attributes, inputs, count));
        for (const { id, dtype } of outputs) this.known.set(id, dtype);
        this.entries.push({ op, attributes: translated, inputs: [...inputs], outputs });
        return outputs;
      },
    });
  }

  /** A binding that computes nothing: it answers from the tape, and throws for all else that is not accepted. */
  replayer(accepted: Accepted = () => false): Binding {
    this.replayed = 0;
    let nth = -1;
    return withFunctions(this.backend.binding, {
      createTensor: (shape, dtype, values) => {
        const written = { shape, dtype, values };
        const known = this.standsFor(written, ++nth);
        if (known !== undefined) return known;
        const constant = this.next(isConstant);
        if (!constant || !(sameConstant(constant, written) || accepted(constant, written, nth)))
          throw this.differsAt(constant?.id);
        return constant.id;
      },
      executeOp: (op, attributes, inputs) => {
        const node = this.next(isNode);
        const asked = [op, inputs, this.translate(op, attributes, inputs)];
        if (!same([node?.op, node?.inputs, node?.attributes], asked))
          throw differs(`${op} instead of ${node?.op ?? 'a constant'}, or other arguments of it,`);
        return node?.outputs as Value[];
      },
      deleteTensor: (id) => {
        if (!this.known.has(id)) this.backend.binding.deleteTensor(id);
      },
      runSavedModel: refuseNested,
    });
  }

  /**
   * What was written down, but for ops whose results have no elements: TensorFlow's optimizer divides by a size of 0, and
   * its pooling takes floats for integers, which both end the process.
   */
  contents(): Pick<Graph, 'constants' | 'nodes'> {
    const entries = this.entries.flatMap((entry) =>
      isNode(entry) && entry.outputs.every(isEmpty) ? empties(entry) : entry,
    );
    const constants = new Map(entries.filter(isConstant).map((constant) => [constant.id, constant]));
    return { constants, nodes: entries.filter(isNode) };
  }

  /** Throws where one of these is neither given nor made by the step. */
  assertKnown(values: readonly Value[]): void {
    for (const { id } of values) if (!this.known.has(id)) throw this.foreign('its result', id);
  }

  assertReplayed(): void {
    if (this.replayed < this.entries.length) throw differs('fewer ops');
  }

  /**
   * Stock kernels leave out the type of an input, or name another one, as `mean` of integers does. Op by op TensorFlow
   * goes by the input; a graph has to say what it is.
   */
  private translate(op: string, attributes: OpAttribute[], inputs: number[]): Attribute[] {
    const inferred = new Map<string, number>();
    for (const [i, name] of (attributesOf.get(op) ?? []).entries()) {
      const dtype = this.known.get(inputs[i] ?? NaN);
      if (dtype !== undefined && /\w/.test(name) && !inferred.has(name)) inferred.set(name, dtype);
    }
    const given = attributes.filter(({ name }) => !inferred.has(name));
    return [...given.map((one) => translate(this.backend.binding, op, one)), ...types(Object.fromEntries(inferred))];
  }

  /** Undefined where the tape has something else. */
  private next<T extends Constant | Node>(is: (entry: Constant | Node) => entry is T): T | undefined {
    const entry = this.entries[this.replayed++];
    return entry && is(entry) ? entry : undefined;
  }

  private foreign(op: string, id: number): Error {
    const idOf = ({ dataId }: tf.Tensor) => this.backend.tensorMap.get(dataId).id;
    const variable = registeredVariables().find((candidate) => idOf(candidate) === id);
    if (variable) return refuse(`${op} reading the variable ${variable.name}, which it does not declare`, LIST_IT);
    const outside = refuse(
      `${op} reading a tensor that was made outside`,
      `make it an input, or a variable and ${LIST_IT}`,
    );
    return unlessDrawn(outside);
  }

  private differsAt(constant: number | undefined): Error {
    const reader = this.entries.filter(isNode).find(({ inputs }) => inputs.includes(constant ?? NaN));
    return differs(`another constant${reader ? ` for ${reader.op}` : ''}`);
  }
}

const isNode = (entry: Constant | Node): entry is Node => 'op' in entry;
const isConstant = (entry: Constant | Node): entry is Constant => !isNode(entry);

const isEmpty = ({ shape, dtype }: Value) => sizeOf(shape) === 0 && CONSTANT_TYPES.includes(dtype);

const empties = ({ outputs }: Node) => outputs.map((value): Constant => ({ ...value, values: new Uint8Array(0) }));

function refuseNested(): never {
  throw refuse('a compiled step that runs inside it', 'compile one step that does both');
}

function attempt<T>(op: string, execute: () => T): T {
  try {
    return execute();
  } catch (error) {
    const hint = 'inputs are zeros or ones while a step is recorded; it must work with those, too';
    throw refuse(`${op}, which fails: ${messageOf(error)}`, hint, error);
  }
}

function translate(binding: Binding, op: string, { name, type, value }: OpAttribute): Attribute {
  if (type === binding.TF_ATTR_TYPE && typeof value === 'number') return { name, kind: 'type', value };
  if (type === binding.TF_ATTR_FLOAT && typeof value === 'number') return { name, kind: 'float', value };
  if (type === binding.TF_ATTR_INT && Number.isSafeInteger(value)) return { name, kind: 'int', value: value as number };
  if (type === binding.TF_ATTR_INT && Array.isArray(value)) return { name, kind: 'int', value: value as number[] };
  if (type === binding.TF_ATTR_BOOL && typeof value === 'boolean') return { name, kind: 'bool', value };
  if (type === binding.TF_ATTR_STRING && typeof value === 'string') return { name, kind: 'string', value };
  throw refuse(`${op} with the attribute ${name} = ${JSON.stringify(value)}`, 'use a whole number, or another op');
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sameConstant(a: Constant, b: Written): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);
  return same([a.shape, a.dtype], [b.shape, b.dtype]) && bytes(a.values).equals(bytes(b.values));
}
