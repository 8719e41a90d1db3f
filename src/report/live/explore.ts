/** In the page: cells of the grid of trainings are picked, and the chart below shows their seeds. */

/// <reference lib="dom" />
import type { LineSpec } from './spec.js';

/** A learning rate and a network, with the loss of each seed's batches. */
export interface Cell {
  title: string;
  name: string;
  tone: number;
  /** Losses out of so many batches, evenly spread. */
  seeds: { batches: number; y: number[] }[];
}

export interface Cells {
  x: string;
  y: { name: string; unit: string };
  /** What the loss of mere guessing is called. */
  guessing: string;
  cells: Cell[];
}

/** Of ten classes. */
const GUESSING = Math.log(10);

export function specOfCell({ name, tone, seeds }: Cell, { x, y, guessing }: Omit<Cells, 'cells'>): LineSpec {
  return {
    kind: 'lines',
    x: { name: x },
    y,
    series: seeds.map(({ batches, y: losses }) => ({
      ...{ name, tone, y: losses },
      x: evenly(batches, losses.length).map((at) => at + 1),
    })),
    references: [{ name: guessing, y: GUESSING }],
  };
}

/** Places of at most `most` from all over, the last among them. */
export function evenly(length: number, most: number): number[] {
  if (length <= most) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (length - 1)) / (most - 1)));
}

/** Makes the grid live, if there is one. */
export function liveExplorer(root: Document): void {
  const source = root.querySelector('#explorer-cells')?.textContent;
  const figure = root.querySelector('#explorer-curves');
  if (!source || !figure) return;
  const cells = JSON.parse(source) as Cells;
  const buttons = [...root.querySelectorAll<HTMLButtonElement>('.explorer button')];
  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener('click', () => {
      for (const other of buttons) other.ariaPressed = String(other === button);
      const cell = cells.cells[Number(button.value)];
      if (!cell) return;
      const caption = figure.querySelector('figcaption');
      if (caption) caption.textContent = cell.title;
      figure.querySelector('.drawing')?.setAttribute('aria-label', cell.title);
      figure.dispatchEvent(new CustomEvent('redraw', { detail: specOfCell(cell, cells) }));
    });
  }
}
