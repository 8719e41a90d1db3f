/** What people declare when they compile steps: taken where the meaning is clear, else refused with how to write it. */
import * as tf from '@tensorflow/tfjs';
import { assertKnown, BnTrainError, cannot, kindOf, shown } from '../common/errors.js';
import { sizeOf } from './graph.js';
import { assertLive, type Input, isTensor, specOf } from './inputs.js';
import type { InputSpec, StepFunction } from './record/record.js';
import type { Rule } from './rewrite/rule.js';

/** Shape and type of an input, by default float32, or an example of it. */
export type InputExample = (Pick<InputSpec, 'shape'> & Partial<Pick<InputSpec, 'dtype'>>) | Input;

/** Those of a step's inputs: one signature, or several that the step is recorded for. */
export type Signatures = readonly InputExample[] | readonly (readonly InputExample[])[];

/** A variable, a layer's weight, a model or layer with all of its weights, or a random generator with its state. */
export type Declared =
  tf.Variable | tf.LayerVariable | { readonly weights: readonly tf.LayerVariable[] } | { readonly state: tf.Variable };

export interface Definition {
  readonly name: string;
  readonly step: StepFunction;
  readonly signatures: readonly (readonly InputSpec[])[];
}

const DOING = 'compile the step';
const DTYPES: readonly unknown[] = ['float32', 'int32', 'bool', 'complex64'] satisfies tf.DataType[];
/** More than TensorFlow counts in an int32. */
const MOST = 2 ** 31;
const SIZES_HINT = 'list every batch size that will be used: inputs: [[{ shape: [64, 8] }], [{ shape: [32, 8] }]]';
const INPUTS_HINT = "inputs: [{ shape: [64, 8] }, { shape: [64], dtype: 'int32' }], or a tensor as an example of each";

const refuse = (expected: string, got: string, hint: string, cause?: unknown) =>
  cannot(DOING, { expected, got, hint, cause });

/** Throws unless these are options, and of those that there are. */
export function assertOptions(given: unknown, known: readonly string[]): void {
  assertRecord(given, `an object with ${known.join(', ')}`, 'compileStep(step, { inputs, variables })');
  assertKnown(DOING, given, known);
}

function assertRecord(given: unknown, expected: string, hint: string): asserts given is Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw refuse(expected, kindOf(given), hint);
}

export function assertSettings({
  seed,
  rules,
  ...flags
}: Partial<Record<'seed' | 'rules' | 'xla' | 'fuse', unknown>>): void {
  const isGenerator = isVariable((seed as { state?: unknown } | null | undefined)?.state);
  if (seed !== undefined && !Number.isSafeInteger(seed) && !isGenerator)
    throw refuse('seed to be a whole number or a random generator', shown(seed), 'random.generator(1) makes one');
  for (const name of ['xla', 'fuse'] as const)
    if (flags[name] !== undefined && typeof flags[name] !== 'boolean')
      throw refuse(`${name} to be true or false`, kindOf(flags[name]), 'leave it out');
  // Spread, as an array's own functions skip holes.
  const areRules = Array.isArray(rules) && [...(rules as unknown[])].every(isRule);
  if (rules !== undefined && !areRules) throw refuse('rules to be a list of rules', kindOf(rules), 'leave it out');
}

const isRule = (rule: unknown) => {
  const { apply, ops } = (rule ?? {}) as Partial<Rule>;
  return typeof apply === 'function' && Array.isArray(ops);
};

export function definitionsIn(steps: unknown): Definition[] {
  const hint = 'compileSteps({ train: { step, inputs } }, { variables })';
  assertRecord(steps, 'steps by their names', hint);
  const definitions = Object.entries(steps).map(([name, definition]): Definition => {
    // It becomes part of the graph's names, in which TensorFlow gives other characters a meaning.
    if (!/^[A-Za-z]\w*$/.test(name)) throw refuse('a name of letters, digits and _', shown(name), hint);
    assertOptions(definition, ['step', 'inputs']);
    const { step, inputs } = definition as { step: unknown; inputs: unknown };
    if (typeof step !== 'function')
      throw refuse('a step that is a function of tensors', kindOf(step), 'such as (x) => [model.apply(x)]');
    return { name, step: step as StepFunction, signatures: signaturesOf(inputs) };
  });
  if (definitions.length === 0) throw refuse('at least one step', 'none', hint);
  return definitions;
}

/** What a step failed with: where it takes more inputs than were declared, that is why. */
export function whyFailed(error: unknown, step: StepFunction, signature: readonly InputSpec[]): unknown {
  if (error instanceof BnTrainError || step.length <= signature.length) return error;
  return refuse(`as many inputs as the step takes, ${step.length}`, `${signature.length}`, INPUTS_HINT, error);
}

function signaturesOf(inputs: unknown): InputSpec[][] {
  if (!Array.isArray(inputs)) throw refuse('inputs to be a list', kindOf(inputs), INPUTS_HINT);
  const given = [...(inputs as unknown[])];
  if (given.length === 0 || !given.every((entry): entry is unknown[] => Array.isArray(entry)))
    return [given.map(exampleOf)];
  if (given.some((list) => list.length > 0 && list.every(isPlain)))
    throw refuse(
      'inputs of which each is a shape, a tensor or a typed array',
      'lists of plain numbers, which may be one input or several',
      INPUTS_HINT,
    );
  return given.map((list) => [...list].map(exampleOf));
}

const isPlain = (value: unknown) => typeof value === 'number' || typeof value === 'boolean' || Array.isArray(value);

function exampleOf(example: unknown, i: number): InputSpec {
  const wrong = (expected: string, got: string, hint = INPUTS_HINT) =>
    refuse(`input ${i} to have ${expected}`, got, hint);
  if (isTensor(example)) assertLive(DOING, `the tensor for input ${i}`, example);
  const { shape, dtype = 'float32' } = specOf(example) ?? ((example ?? {}) as Partial<InputSpec>);
  if (!Array.isArray(shape)) throw wrong('a shape', kindOf(example));
  const sizes: unknown[] = Array.from(shape);
  if (sizes.some((size) => size === null || size === -1))
    throw wrong('a size on every axis, as a graph is made for one', shown(sizes), SIZES_HINT);
  if (!sizes.every((size): size is number => Number.isSafeInteger(size) && (size as number) >= 0))
    throw wrong('whole sizes', shown(sizes));
  if (sizeOf(sizes) >= MOST) throw wrong(`fewer than ${MOST} numbers`, shown(sizes));
  if (!DTYPES.includes(dtype)) throw wrong(`a type of ${DTYPES.join(', ')}`, shown(dtype));
  return { shape: sizes, dtype };
}

/** Each once. */
export function variablesIn(declared: unknown): tf.Variable[] {
  const list = Array.isArray(declared) ? (declared as unknown[]).flat() : declared === undefined ? [] : [declared];
  const variables = list.flatMap(variablesOf);
  for (const variable of variables) assertLive(DOING, `the variable ${variable.name}`, variable);
  return [...new Set(variables)];
}

const isVariable = (value: unknown): value is tf.Variable => value instanceof tf.Variable;

function variablesOf(declared: unknown): tf.Variable[] {
  if (isVariable(declared)) return [declared];
  const { weights, val, state } = (declared ?? {}) as { weights?: unknown; val?: unknown; state?: unknown };
  for (const own of [val, state]) if (isVariable(own)) return [own];
  if (Array.isArray(weights) && weights.every(isWeight)) return weights.flatMap(variablesOf);
  throw refuse(
    "variables to be a list of tf.Variable, a model's weights, or models",
    `${kindOf(declared)} in it`,
    "model.weights are a model's own; optimizerVariables(optimizer, trainable) gives an optimizer's",
  );
}

const isWeight = (weight: unknown) => isVariable((weight as { val?: unknown } | null)?.val);
