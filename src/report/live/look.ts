/** What all charts have in common: colors by the page's variables, forms, tooltips and reference lines. */
import type { Reference } from './spec.js';

/** The page sets them, for light and dark. */
export const INK = 'var(--ink)';
export const MUTED = 'var(--muted)';
export const FAINT = 'var(--faint)';
export const PAPER = 'var(--paper)';

const TONES = 6;

export function toneOf(tone: number): string {
  return `var(--tone-${tone % TONES})`;
}

/** An arrow's tip, not its middle, would be where the value is. */
const PLUS = 'path://M1 0h1v1h1v1h-1v1h-1v-1h-1v-1h1z';
const SYMBOLS = ['circle', 'diamond', 'triangle', 'rect', 'roundRect', PLUS];
const DASHES = ['solid', [7, 4], [2, 3], [9, 3, 2, 3], [4, 2], [1, 4]] as const;

/** Tones differ in form too, for whoever cannot tell the colors. */
export function symbolOf(tone: number): string {
  return SYMBOLS[tone % TONES] ?? 'circle';
}

export function dashOf(tone: number): 'solid' | number[] {
  const dash = DASHES[tone % TONES] ?? 'solid';
  return dash === 'solid' ? dash : [...dash];
}

export const TOOLTIP = {
  confine: true,
  backgroundColor: PAPER,
  borderColor: MUTED,
  textStyle: { color: INK, fontSize: 13 },
  transitionDuration: 0,
};

/** Lines across the chart with their names; `extent` is the axis's where it is the horizontal one. */
export function referenceLines(references: Reference[] = [], extent?: [number, number]): object {
  const lying = extent !== undefined;
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    // Else places are rounded to hundredths.
    precision: 15,
    lineStyle: { color: INK, type: [4, 4], width: 1 },
    data: references.map(({ name, y }, i) => ({
      [lying ? 'xAxis' : 'yAxis']: y,
      label: {
        ...{ formatter: name, color: INK, fontSize: 12, position: lying ? 'start' : 'insideEndTop' },
        // Readable over lines: so wide that the gaps between words show none of them.
        ...{ textBorderColor: PAPER, textBorderWidth: 6 },
        ...(extent ? { distance: 2 + 16 * i, ...leaning(y, extent) } : {}),
      },
    })),
  };
}

/** Into the chart, as names at its ends would be cut off. */
function leaning(value: number, [low, high]: [number, number]): object {
  return { align: value < (low + high) / 2 ? 'left' : 'right' };
}

/** Smallest and largest of what can be drawn. */
export function extentOf(values: Iterable<number | null>, logarithmic = false): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || !Number.isFinite(value) || (logarithmic && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? [1, 10] : [low, high];
}

/** Text of the user's, as HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
