/** Numbers as axes, tooltips and tables write them. */
import { roundStep } from '../../common/bins.js';

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** 0.8713 → "0.8713", 1234567 → "1,234,567", 2.1e-12 → "2.1×10⁻¹²": at most four significant digits below a thousand. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return scientific(value);
  const short = size >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
  const [whole = '', decimals] = String(Math.abs(short)).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${short < 0 ? '−' : ''}${grouped}${decimals === undefined ? '' : `.${decimals}`}`;
}

function scientific(value: number): string {
  const [mantissa = '', exponent = ''] = value.toExponential(2).split('e');
  const power = exponent.replace(/[-+]/, '').replace(/\d/g, (digit) => SUPERSCRIPTS[Number(digit)] ?? '');
  const raised = `10${Number(exponent) < 0 ? '⁻' : ''}${power}`;
  const factor = Math.abs(Number(mantissa));
  return `${value < 0 ? '−' : ''}${factor === 1 ? '' : `${factor}×`}${raised}`;
}

/** "loss (nats)", or the name alone. */
export function withUnit(name: string, unit = ''): string {
  return unit === '' ? name : `${name} (${unit})`;
}

/** "2.3 nats", "87 %", or the value alone. */
export function valueWithUnit(value: string, unit = ''): string {
  return unit === '' ? value : `${value} ${unit}`;
}

/**
 * Where a logarithmic axis from `low` to `high` is labelled: 1, 2 and 5 of each decade where that leaves at most `most`, else
 * 1 and 3, else every decade, else every other, every third and so on.
 */
export function logarithmicTicks(low: number, high: number, most: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const of = (digits: number[], every = 1) =>
    decades
      .filter((power) => power % every === 0)
      .flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)))
      .filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  for (const digits of [[1, 2, 5], [1, 3], [1]]) if (of(digits).length <= most) return of(digits);
  let every = 2;
  while (of([1], every).length > most) every++;
  return of([1], every);
}

/** Where a linear axis is labelled: at multiples of 1, 2 or 5 times a power of ten, at most `most` of them. */
export function linearTicks(low: number, high: number, most: number): number[] {
  const step = roundStep((high - low) / most);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
