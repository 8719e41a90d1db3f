/** Loops over axes as C++. */
import { sizeOf } from '../graph.js';
import type { Axis } from './geometry.js';

/** The maximum of a pooling's window; no op of TensorFlow's. */
export const WINDOW = 'MaxOfWindow';

/** What `math.h` has by their names. */
export const REDUCTIONS: readonly string[] = ['Sum', 'Mean', 'Max', 'Min', WINDOW];

/** A window as small as this is added up in one expression. */
const UNROLLED = 16;

const loop = (index: string, size: number | string, body: string): string =>
  `for (int64_t ${index} = 0; ${index} < ${size}; ++${index}) ${body}`;

/** A loop whose turns have no part in each other. */
export const vectorLoop = (from: string, to: number | string, body: string): string =>
  `_Pragma("GCC ivdep") for (int64_t i = ${from}; i < ${to}; ++i) { ${body} }`;

/** Puts a value to a sum, or what an op has for one. */
export const accumulated = (op: string, sum: string, value: string): string => `${sum} = ${op}::of(${sum}, ${value});`;

/** What sums begin with. */
export const cleared = (op: string, sums: string, width: number): string =>
  vectorLoop('0', width, `${sums}[i] = ${op}::start;`);

/** An axis of two values at once: of the one that has all elements, and of the one where some are repeated. */
interface Both extends Axis {
  readonly whole: number;
}

function both(axes: readonly Axis[]): Both[] {
  return axes.map((axis, i) => ({ ...axis, whole: sizeOf(axes.slice(i + 1).map(({ size }) => size)) }));
}

/** `body` for all positions of some axes, given what to add to an index of each of the two values. */
function nest(axes: readonly Both[], name: string, body: (whole: string, part: string) => string): string {
  const sum = (terms: string[]) => terms.join(' + ') || '0';
  const whole = sum(axes.map((axis, k) => `${name}${k} * ${axis.whole}`));
  const part = sum(axes.flatMap(({ stride }, k) => (stride === 0 ? [] : [`${name}${k} * ${stride}`])));
  return axes.reduceRight((inner, { size }, k) => loop(`${name}${k}`, size, inner), `{ ${body(whole, part)} }`);
}

/** Loops over fewer elements are too short for vectors. */
const SHORT = 16;
/** Lengths that are known to the compiler, which has code for each vector. */
const MOST_RUNS = 256;

/** Of a value whose short runs are repeated, where that is all there is to it: how many runs, how often, and of how many. */
function shortRuns([outer, folded, inner = { size: 1, stride: 1 }, ...rest]: readonly Axis[]): number[] | undefined {
  if (rest.length > 0 || folded?.stride !== 0 || inner.stride !== 1 || outer?.stride !== inner.size) return undefined;
  return inner.size < SHORT && outer.size <= MOST_RUNS ? [outer.size, folded.size, inner.size] : undefined;
}

/** Fills `to` with `from`, which is repeated along axes of stride 0. */
export function expand(to: string, from: string, axes: readonly Axis[]): string {
  const [first = { size: 1, stride: 0 }, ...rest] = axes;
  const short = shortRuns(axes);
  if (short) return `repeatRuns_<${short.join(', ')}>(${to}, ${from});`;
  if (rest.length === 0) return vectorLoop('0', first.size, `${to}[i] = ${from}[i * ${first.stride}];`);
  const size = sizeOf(rest.map((axis) => axis.size));
  const k = `k${rest.length}`;
  // What was just written in parts cannot be read at once.
  if (first.stride === 0 && shortRuns(rest)) return loop(k, first.size, expand(`(${to} + ${k} * ${size})`, from, rest));
  if (first.stride === 0) return `${expand(to, from, rest)} repeat_(${to}, ${size}, ${first.size});`;
  const part = expand(`(${to} + ${k} * ${size})`, `(${from} + ${k} * ${first.stride})`, rest);
  return loop(k, first.size, `{ ${part} }`);
}

/** Reduces `from` over its axes of stride 0 into `to`, and applies `finish` to each result. */
export function reduce(op: string, to: string, from: string, axes: readonly Axis[], finish: string): string {
  const outer = both(axes).slice(0, -1);
  const last = axes.at(-1) ?? { size: 1, stride: 1 };
  const kept = outer.filter(({ stride }) => stride !== 0);
  const folded = outer.filter(({ stride }) => stride === 0);
  const isWindow = sizeOf(folded.map(({ size }) => size)) <= UNROLLED;
  return nest(kept, 'k', (whole, part) => {
    if (last.stride === 0) {
      const all = (at: string) => accumulated(op, 'a', `all_<${op}>(${from} + ${whole} + ${at}, ${last.size})`);
      return `float a = ${op}::start; ${nest(folded, 'r', all)} ${to}[${part}] = a${finish};`;
    }
    const element = `${to}[${part} + i]`;
    if (isWindow) {
      const terms = positions(folded).map((at) => `${from}[${whole} + i + ${at}]`);
      const value = [`${op}::start`, ...terms].reduce((a, b) => `${op}::of(${a}, ${b})`);
      return vectorLoop('0', last.size, `${element} = ${value}${finish};`);
    }
    const add = (at: string) => vectorLoop('0', last.size, accumulated(op, element, `${from}[${whole} + ${at} + i]`));
    const after = finish && vectorLoop('0', last.size, `${element} = ${element}${finish};`);
    return `${cleared(op, `(${to} + ${part})`, last.size)} ${nest(folded, 'r', add)} ${after}`;
  });
}

/** The gradient of a maximum over axes of stride 0: the first element that is the maximum gets all of it, or the first of all. */
export function route(to: string, [x, y, dy]: readonly string[], axes: readonly Axis[]): string {
  const all = both(axes);
  const last = all.at(-1)?.stride === 1 ? all.pop() : undefined;
  const folded = all.filter(({ stride }) => stride === 0);
  return nest(
    all.filter(({ stride }) => stride !== 0),
    'k',
    (whole, part) => {
      const given = positions(folded).map((at) => {
        const element = `[${whole} + i + ${at}]`;
        return `{ const bool hit = ${x}${element} == m; ${to}${element} = hit ? d : 0; d = hit ? 0 : d; }`;
      });
      // In a window of nothing but NaN or −∞ none is.
      const rest = `${to}[${whole} + i] += d;`;
      const window = `const float m = ${y}[${part} + i]; float d = ${dy}[${part} + i]; ${given.join(' ')} ${rest}`;
      return vectorLoop('0', last?.size ?? 1, window);
    },
  );
}

/** Where the elements of some axes lie. */
function positions(axes: readonly Both[]): number[] {
  return axes.reduce<number[]>(
    (starts, { size, whole }) => starts.flatMap((at) => Array.from({ length: size }, (_, i) => at + i * whole)),
    [0],
  );
}
