/** What JSON that comes from outside must look like: schemas whose first fault is told by field, expected and got. */
import * as v from 'valibot';
import { cannot, messageOf, shown } from './errors.js';

export type Shape<T> = v.GenericSchema<unknown, T>;

/** A value for which `holds`; `expected` says in words what it must be. */
export function that<T>(expected: string, holds: (value: unknown) => boolean): Shape<T> {
  return v.custom<T>(holds, expected);
}

/** A whole number from `least`, up to `most` where there is a bound. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): Shape<number> {
  const range = `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`;
  return that(range, (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most);
}

/** A finite number for which `holds`. */
export function numberThat(expected: string, holds: (value: number) => boolean): Shape<number> {
  return that(expected, (value) => Number.isFinite(value) && holds(value as number));
}

export const aboveZero = numberThat('a number above 0', (value) => value > 0);

export const yesOrNo = that<boolean>('true or false', (value) => typeof value === 'boolean');

/** Text of a form; arrays of one text would pass as such in a regular expression. */
export function text(expected = 'text', form = /(?:)/): Shape<string> {
  return that(expected, (value) => typeof value === 'string' && form.test(value));
}

const isText = (value: unknown) => typeof value === 'string';

export const textsByName = that<Record<string, string>>(
  'texts by name',
  (value) => isObject(value) && Object.values(value).every(isText),
);

/** What `describeMachine` said where something was computed, and the GPU, where it was one. */
export const knownMachine = that<{ platform: string; cpu: string; cores: number; memory: number; gpu?: string }>(
  'platform and cpu as text, cores and memory as numbers',
  (value) =>
    isObject(value) &&
    [value['platform'], value['cpu']].every(isText) &&
    [value['cores'], value['memory']].every(Number.isFinite),
);

/** One of some words. */
export function oneOf<const T extends string>(expected: string, words: readonly T[]): Shape<T> {
  return that(expected, (value) => (words as readonly unknown[]).includes(value));
}

export interface Problem {
  /** "files.0.size"; empty where the whole is not what it should be. */
  field: string;
  expected: string;
  /** The value there; undefined where there is none. */
  got: unknown;
}

/** The first fault of a value, or what the schema makes of it: a copy without fields that the schema does not name. */
export function check<T>(shape: Shape<T>, value: unknown): { value: T } | { problem: Problem } {
  const result = v.safeParse(shape, value, { abortEarly: true });
  if (result.success) return { value: result.output };
  const [issue] = result.issues;
  const path = issue.path ?? [];
  const field = path.map(({ key }) => String(key)).join('.');
  return {
    problem: { field, expected: wordsAt(shape, path) ?? issue.message, got: path.at(-1)?.value ?? issue.input },
  };
}

/** A field that is missing is told by its own words. */
function wordsAt(shape: object, path: readonly { key?: unknown }[]): string | undefined {
  type Node = Record<'item' | 'value' | 'wrapped' | 'message', unknown> & { entries?: Record<string, unknown> };
  // An optional field's schema wraps that of the field.
  const unwrapped = (node: unknown) => ((node as Node).wrapped ?? node) as Node;
  let at = unwrapped(shape);
  for (const { key } of path) {
    const next = at.entries?.[String(key)] ?? at.item ?? at.value;
    if (next === undefined) return undefined;
    at = unwrapped(next);
  }
  return typeof at.message === 'string' ? at.message : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON object that `content` is. Throws a BnTrainError that names `file` and what was `expected`. */
export function parseObject(content: string, file: string, expected?: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw cannot(`read ${file}`, { expected: expected ?? 'JSON', got: messageOf(error), cause: error });
  }
  if (isObject(value)) return value;
  throw cannot(`read ${file}`, { expected: expected ?? 'a JSON object', got: shown(value) });
}

/**
 * The JSON object that `content` is, checked; fields that the schema does not name stay in it. Throws a BnTrainError that
 * names `file`, field, expected and got.
 */
export function parseShaped<T>(shape: Shape<T>, content: string, file: string): T {
  const found = parseObject(content, file);
  const result = check(shape, found);
  if ('value' in result) return found as T;
  const { field, expected, got } = result.problem;
  throw cannot(`read ${file}`, {
    expected: `${field} to be ${expected}`,
    got: got === undefined ? 'nothing' : shown(got),
  });
}
