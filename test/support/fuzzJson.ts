/** Valid JSON objects changed: values of other kinds, missing and foreign keys, and text that is hardly JSON. */
import * as fc from 'fast-check';

/** Stands in a value for JSON that JSON.stringify never writes; see `spell`. */
const raw = (text: string) => `@raw:${text}@`;

const DEEP = `${'['.repeat(12_000)}${']'.repeat(12_000)}`;

/** Values that a careless reader takes for something else. */
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.constantFrom<unknown>(
      ...[null, true, false, '', 'x', [], {}, [[]], [null], 'NaN', 'Infinity', '1', '__proto__', ['scratch']],
      ...[0, -1, 1, 0.5, 1.5, -0.5, 2, 256, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308, 5e-324],
      ...['1e999', '-1e999', '-0', '1.0', '1e2', '01', 'NaN', 'Infinity', '0x10', '"\\ud800"'].map(raw),
      ...['../x', '/etc/passwd', 'a\u0000b', '..', '.', 'a/../../b', '\u001b[2J', '\u202etxt', 'x'.repeat(5000), 'é'],
      ...[{ toString: 1 }, { length: 3 }, { epoch: 1 }, [1, 2, 3], ['a'.repeat(64)], ['http://a/'], ['usr']],
    ),
  },
  { weight: 20, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.constant(raw(DEEP)) },
);

type Json = Record<string, unknown> | unknown[];
const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Every place in a value: what holds it, and under which key. */
function placesIn(value: Json): { parent: Json; key: string }[] {
  return Object.keys(value).flatMap((key) => {
    const child = (value as Record<string, unknown>)[key];
    return [{ parent: value, key }, ...(isJson(child) ? placesIn(child) : [])];
  });
}

type Edit = (value: Json) => void;

const OWN = { enumerable: true, configurable: true, writable: true };

const place = fc.nat({ max: 2 ** 30 });
const pick = (value: Json, at: number) => {
  const places = placesIn(value);
  return places[at % Math.max(1, places.length)];
};

const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(place, hostile).map(([at, other]): Edit => (value) => {
      const found = pick(value, at);
      if (found) Object.assign(found.parent, { [found.key]: structuredClone(other) });
    }),
  },
  {
    weight: 1,
    arbitrary: place.map((at): Edit => (value) => {
      const found = pick(value, at);
      if (Array.isArray(found?.parent)) found.parent.splice(Number(found.key), 1);
      else if (found) Reflect.deleteProperty(found.parent, found.key);
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(place, fc.constantFrom('__proto__', 'constructor', 'extra', 'toString', '0'), hostile)
      .map(([at, key, other]): Edit => (value) => {
        const parent = pick(value, at)?.parent ?? value;
        if (Array.isArray(parent)) parent.push(structuredClone(other));
        else Object.defineProperty(parent, key, { ...OWN, value: structuredClone(other) });
      }),
  },
);

/** Writes a value, the raw pieces as they are. */
function spell(value: unknown): string {
  return JSON.stringify(value).replace(/"@raw:(.*?)@"/g, (_, text: string) =>
    text.replaceAll('\\"', '"').replaceAll('\\\\', '\\'),
  );
}

type Scribble = (text: string) => string;

const scribble: fc.Arbitrary<Scribble> = fc.oneof(
  place.map(
    (at): Scribble =>
      (text) =>
        text.slice(0, at % (text.length + 1)),
  ),
  fc
    .tuple(place, fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\u0000', '\n', '\u001b', '9', '-', '\\'))
    .map(([at, more]): Scribble => (text) => {
      const i = at % (text.length + 1);
      return text.slice(0, i) + more + text.slice(i);
    }),
  fc.constantFrom<Scribble>(
    (text) => `\ufeff${text}`,
    (text) => `${text}${text}`,
    (text) => ` \n${text}\n`,
    (text) => `[${text}]`,
    (text) => text.replace(/\{("[^"]*":)/, '{$1null,$1'),
    (text) => text.replace(/\}$/, ',"epochs":3,"epochs":0}'),
    (text) => text.replace(/\}$/, ',}'),
    () => 'null',
    () => DEEP,
    () => '',
  ),
);

/** A text that a failed property shows without what makes it long. */
export interface Text {
  text: string;
  [fc.toStringMethod]: () => string;
}

function asText(text: string): Text {
  return { text, [fc.toStringMethod]: () => text.replace(DEEP, '[[…]]') };
}

/** The JSON of a valid object: unchanged, edited in a few places, or its text spoiled. */
export function mutatedJson(valid: fc.Arbitrary<object>): fc.Arbitrary<Text> {
  const edited = fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([value, edits]) => {
    const copy = structuredClone(value) as Json;
    for (const change of edits) change(copy);
    return spell(copy);
  });
  return fc
    .oneof(
      { weight: 2, arbitrary: valid.map(spell) },
      { weight: 6, arbitrary: edited },
      { weight: 2, arbitrary: fc.tuple(valid, scribble).map(([value, change]) => change(spell(value))) },
    )
    .map(asText);
}

/** What JSON.parse makes of it, or undefined. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether a value is what a text says; where that is nested too deeply to be written again, the checks must do. */
export function says(text: string, value: unknown): boolean {
  return text.includes(DEEP.slice(0, 100)) || JSON.stringify(value) === JSON.stringify(parsed(text));
}
