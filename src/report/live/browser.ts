/** In the page: each drawn figure becomes a live chart, with tooltips by mouse and keyboard and series to show and hide. */

/// <reference lib="dom" />
import { init } from './drawing.js';
import { optionOf } from './chartOptions.js';
import { unpack } from './packed.js';
import type { ChartSpec } from './spec.js';

type Chart = ReturnType<typeof init>;

/** Makes every figure below `root` live. */
export function goLive(root: ParentNode): void {
  for (const figure of root.querySelectorAll<HTMLElement>('figure.chart')) liven(figure);
}

function liven(figure: HTMLElement): void {
  const place = figure.querySelector<HTMLElement>('.drawing');
  const source = figure.querySelector('script[type="application/json"]')?.textContent;
  if (!place || !source) return;
  let spec = unpack(source);
  const buttons = [...figure.querySelectorAll<HTMLButtonElement>('.legend button')];
  const hidden = () =>
    new Set(buttons.filter((button) => button.ariaPressed === 'false').map((button) => button.value));
  const canvas = document.createElement('div');
  canvas.className = 'canvas';
  place.replaceChildren(canvas);
  const chart = init(canvas, null, { renderer: 'svg' });
  const draw = () => chart.setOption(optionOf(without(spec, hidden()), canvas.clientWidth), { notMerge: true });
  draw();
  // What a reader chooses elsewhere in the page arrives as an event.
  figure.addEventListener('redraw', (event) => {
    spec = (event as CustomEvent<ChartSpec>).detail;
    draw();
  });
  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener('click', () => {
      button.ariaPressed = button.ariaPressed === 'true' ? 'false' : 'true';
      draw();
    });
  }
  new ResizeObserver(() => {
    chart.resize();
    draw();
  }).observe(canvas);
  walkByKeyboard(place, chart, () => lengthOf(spec));
  figure.classList.add('live');
}

/** The chart with fewer series; its axes follow what is left. */
function without(spec: ChartSpec, hidden: ReadonlySet<string>): ChartSpec {
  if (spec.kind === 'heat' || hidden.size === 0) return spec;
  if (spec.kind === 'dots') return { ...spec, groups: spec.groups.filter(({ name }) => !hidden.has(name)) };
  const kept = <T extends { name: string }>(series: T[]) => series.filter(({ name }) => !hidden.has(name));
  return spec.kind === 'bars' ? { ...spec, series: kept(spec.series) } : { ...spec, series: kept(spec.series) };
}

function lengthOf(spec: ChartSpec): number {
  switch (spec.kind) {
    case 'lines':
      return spec.series[0]?.x.length ?? 0;
    case 'dots':
      return spec.groups[0]?.values.length ?? 0;
    case 'bars':
      return spec.categories.length;
    case 'heat':
      return spec.cells.length;
  }
}

/** Arrows move the tooltip from one value to the next, Escape takes it away. */
function walkByKeyboard(place: HTMLElement, chart: Chart, length: () => number): void {
  let at = -1;
  place.tabIndex = 0;
  place.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === 'Escape') chart.dispatchAction({ type: 'hideTip' });
    if (step === undefined) return;
    at = Math.min(length() - 1, Math.max(0, at + step));
    chart.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: at });
    event.preventDefault();
  });
  place.addEventListener('blur', () => {
    chart.dispatchAction({ type: 'hideTip' });
  });
}
