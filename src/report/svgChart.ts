/** Accuracies and loss by epoch, as an SVG that stands alone, in light and dark. */
import { formatMetric } from '../common/format.js';
import type { RunOptions } from '../run/config.js';
import type { EpochResult } from '../train/events.js';
import { accuraciesOf, accuracyAxis, type Axis, axisLabel, type Curve, lossAxis } from './chart.js';

const WIDTH = 760;
const HEIGHT = 470;
const [LEFT, RIGHT] = [56, 526];
const ACCURACY = { top: 70, bottom: 300 };
const LOSS = { top: 346, bottom: 416 };
type Panel = typeof ACCURACY;

type Kind = Curve['kind'] | 'loss';
type Palette = Record<Kind | 'paper' | 'ink' | 'faint', string>;

const LIGHT: Palette = {
  ...{ paper: '#ffffff', ink: '#24292f', faint: '#d8dee4' },
  ...{ moving: '#c2410c', population: '#1d4ed8', train: '#57606a', loss: '#24292f' },
};
const DARK: Palette = {
  ...{ paper: '#0d1117', ink: '#e6edf3', faint: '#30363d' },
  ...{ moving: '#fb923c', population: '#79b8ff', train: '#a0aab4', loss: '#e6edf3' },
};

/** Lines and marks differ in form as well as in color. */
const FORMS = `.title { font-weight: bold; font-size: 15px }
.name { font-weight: bold }
.curve, .leader { fill: none }
.curve, .mark { stroke-width: 1.5 }
.leader { stroke-width: 0.75 }
.name, .value { stroke: none }
.population .curve { stroke-width: 3 }
.train .curve { stroke-dasharray: 2 4 }`;

/** Without variables, which many viewers of pictures do not know. */
function colorsOf({ paper, ink, faint, ...kinds }: Palette): string {
  const rules = Object.entries(kinds).map(
    ([kind, color]) => `.${kind} { stroke: ${color} } .${kind} .name { fill: ${color} }`,
  );
  return [
    `.paper, .mark { fill: ${paper} } text { fill: ${ink} } .grid { stroke: ${faint} }`,
    ...rules,
    `.population .mark { fill: ${kinds.population} } .loss .mark { fill: ${kinds.loss} }`,
  ].join('\n');
}

/** A mark around 0, 0. */
const MARKS: Record<Kind, string> = {
  moving: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z',
  population: 'M0-5.5L5.5 0 0 5.5-5.5 0z',
  train: 'M-4 0H4M0-4V4',
  loss: 'M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z',
};

/** How far apart the labels of curves are, which have two lines. */
const LABEL = 34;

interface Point {
  epoch: number;
  x: number;
  y: number;
  value: number;
}

/** "LeNet on Fashion-MNIST, scratch: lr 1, batch size 256, seed 1". */
export function chartTitle(data: string, { norm, learningRate, batchSize, seed }: RunOptions): string {
  return `LeNet on ${data}, ${norm}: lr ${learningRate}, batch size ${batchSize}, seed ${seed}`;
}

/** The chart of a run, 760×470. */
export function svgChart(history: EpochResult[], title: string): string {
  const curves = accuraciesOf(history);
  const [axis, lossScale] = [accuracyAxis(curves), lossAxis(history)];
  const pointsOf = (values: (number | null)[], scale: Axis, panel: Panel): Point[] =>
    values.flatMap((value, i) => {
      const x = LEFT + ((i + 0.5) / values.length) * (RIGHT - LEFT);
      return value === null ? [] : [{ epoch: history[i]?.epoch ?? 0, x, y: heightOf(value, scale, panel), value }];
    });
  const drawn = curves.map((curve) => ({ curve, points: pointsOf(curve.values, axis, ACCURACY) }));
  const losses = pointsOf(
    history.map(({ loss }) => loss),
    lossScale,
    LOSS,
  );
  const labels = spread(drawn.map(({ points }) => points.at(-1)?.y ?? ACCURACY.bottom));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="sans-serif" font-size="12">
<title>${escapeXml(title)}</title>
<style>
${FORMS}
${colorsOf(LIGHT)}
@media (prefers-color-scheme: dark) {
${colorsOf(DARK)}
}
</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="16" y="28">${escapeXml(title)}</text>
${gridOf(axis, ACCURACY, 'accuracy')}
${gridOf(lossScale, LOSS, 'loss in training (nats)')}
${epochsBelow(losses)}
${[...drawn]
  .reverse()
  .map(({ curve, points }) => curveOf(curve.kind, curve.by ?? curve.of, points))
  .join('\n')}
${drawn.map(({ curve, points }, i) => labelOf(curve, points, labels[i] ?? 0)).join('\n')}
${curveOf('loss', 'loss', losses)}
</svg>
`;
}

function heightOf(value: number, { from, to }: Axis, { top, bottom }: Panel): number {
  return bottom - ((value - from) / (to - from)) * (bottom - top);
}

function gridOf(axis: Axis, panel: Panel, name: string): string {
  const lines = Array.from({ length: axis.parts + 1 }, (_, part) => {
    const y = panel.bottom - (part / axis.parts) * (panel.bottom - panel.top);
    return (
      `<path class="grid" d="M${LEFT} ${y.toFixed(1)}H${RIGHT}"/>` +
      `<text x="${LEFT - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end">${axisLabel(axis, part)}</text>`
    );
  });
  return [`<text x="16" y="${panel.top - 16}">${name}</text>`, ...lines].join('\n');
}

/** Numbers that stand apart: at most 20 of two digits, or fewer longer ones. */
function epochsBelow(points: Point[]): string {
  let every = 1;
  const digits = String(points.at(-1)?.epoch).length;
  for (let i = 0; (points.length / every) * digits > 40; i++) every *= i % 3 === 1 ? 2.5 : 2;
  const numbers = points
    .filter(({ epoch }) => epoch % every === 0)
    .map(({ epoch, x }) => `<text x="${x.toFixed(1)}" y="${LOSS.bottom + 18}" text-anchor="middle">${epoch}</text>`);
  const name = `<text x="${(LEFT + RIGHT) / 2}" y="${LOSS.bottom + 38}" text-anchor="middle">epoch</text>`;
  return [...numbers, name].join('\n');
}

/** A line, and marks on at most 25 of its points, the last among them. */
function curveOf(kind: Kind, name: string, points: Point[]): string {
  const every = Math.ceil(points.length / 25);
  const marks = points
    .filter((_, i) => (points.length - 1 - i) % every === 0)
    .map(
      ({ epoch, x, y, value }) =>
        `<path class="mark" d="${MARKS[kind]}" transform="translate(${x.toFixed(1)} ${y.toFixed(1)})">` +
        `<title>epoch ${epoch}: ${name} ${formatMetric(value)}</title></path>`,
    );
  const line = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return `<g class="${kind}"><polyline class="curve" points="${line}"/>${marks.join('')}</g>`;
}

/** What a curve is, beside its end. */
function labelOf({ kind, of, by, images }: Curve, points: Point[], y: number): string {
  const last = points.at(-1);
  if (!last) return '';
  const value = `${by === undefined ? '' : `${of} `}${formatMetric(last.value)}`;
  return (
    `<g class="${kind}"><path class="leader" d="M${(last.x + 7).toFixed(1)} ${last.y.toFixed(1)}L${RIGHT + 12} ${y.toFixed(1)}"/>` +
    `<text class="name" x="${RIGHT + 18}" y="${(y + 1).toFixed(1)}">${by ?? of}</text>` +
    `<text class="value" x="${RIGHT + 18}" y="${(y + 16).toFixed(1)}">${images === undefined ? '' : `of ${images}: `}${value}</text></g>`
  );
}

/** The heights of labels, moved apart as little as keeps them readable, in the order of their curves' ends. */
function spread(heights: number[]): number[] {
  const order = [...heights.keys()].sort((a, b) => (heights[a] ?? 0) - (heights[b] ?? 0));
  const placed = [...heights];
  let free = ACCURACY.top;
  for (const [rank, i] of order.entries()) {
    const most = ACCURACY.bottom - (order.length - 1 - rank) * LABEL;
    placed[i] = Math.min(most, Math.max(free, heights[i] ?? 0));
    free = (placed[i] ?? 0) + LABEL;
  }
  return placed;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character] ?? '');
}
