/** ECharts with the few parts that the page's charts are made of, and nothing else. */
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { optionOf } from './chartOptions.js';
import type { ChartSpec } from './spec.js';

use([BarChart, CustomChart, LineChart, ScatterChart, GridComponent, MarkLineComponent, TooltipComponent, SVGRenderer]);

export { init };

/** An SVG of the chart; the same for the same input, its names begin with `id`. */
export function svgOf(spec: ChartSpec, id: string, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption(optionOf(spec, width));
  const svg = chart.renderToSVGString();
  // Else its timers keep Node alive.
  chart.dispose();
  return shortened(svg).replaceAll(/\bzr\d+-/g, `${id}-`);
}

/**
 * Without what hovering would change, names by counters that run on, what the page's styles say of all texts, what only files of
 * their own need, and tiny fractions.
 */
function shortened(svg: string): string {
  const still = svg
    .replaceAll(/ xmlns(:xlink)?="[^"]*"| version="1.1" baseProfile="full"|<rect [^>]*fill="none"><\/rect>\n?/g, '')
    .replaceAll(/><\/(path|rect)>/g, '/>')
    .replaceAll(/\s*<style[^]*?<\/style>| class="[^"]*"| ecmeta_\w+="[^"]*"| xml:space="preserve"/g, '')
    .replaceAll(/ pointer-events="[^"]*"| dominant-baseline="central"|font-family:[^;"]*;?/g, '')
    .replaceAll(/ style="font-size:12px;"|(?<=<text [^>]*) fill="var\(--muted\)"/g, '')
    .replaceAll(/\b([1-9]\d*\.\d)\d+/g, '$1')
    .replaceAll(CIRCLE, '<circle r="$1" cx="$2" cy="$3"')
    .replaceAll(TEXT, (_, look: string, down = '0', x: string, y: string) => `<text ${look}x="${x}" y="${+y + +down}"`);
  return joined(withSharedClips(still));
}

/** Neighbors that look and are clipped alike, such as grid lines, bars and the lines of seeds, as one path. */
function joined(svg: string): string {
  const kept: string[] = [];
  let group = '';
  for (const line of svg.split('\n')) {
    const last = kept.at(-1) ?? '';
    const [, shape = '', look] = PATH.exec(line) ?? [];
    if (look !== undefined && PATH.exec(last)?.[2] === look)
      kept[kept.length - 1] = last.replace(look, () => shape + look);
    else if (line === group && last === '</g>') kept.pop();
    else kept.push(line);
    if (line.startsWith('<g')) group = line;
  }
  return kept.join('\n');
}

/** As an arc, which is moved and stretched. */
const CIRCLE = /<path d="M1 0A1 1 0 1 1 1 [^"]*" transform="matrix\((\S+),0,0,\1,(\S+),(\S+)\)"/g;

/** Moved by a transform, and then down. */
const TEXT = /<text ((?:(?!transform|y=)[^ >]+ )*)(?:y="([^"]+)" )?transform="translate\(([^ )]+) ([^ )]+)\)"/g;

/** Where it is and how it looks; what is moved by a transform stays by itself. */
const PATH = /^<path d="([^"]*)("(?![^>]*transform).*)$/;

/** Each line comes with a clip of its own, most of them the same. */
function withSharedClips(svg: string): string {
  const first = new Map<string, string>();
  const same = new Map<string, string>();
  const kept = svg.replaceAll(/<clipPath id="([^"]+)">([^]*?)<\/clipPath>\n?/g, (clip, id: string, shape: string) => {
    same.set(id, first.get(shape) ?? id);
    if (first.has(shape)) return '';
    first.set(shape, id);
    return clip;
  });
  return kept.replaceAll(/url\(#([^)]+)\)/g, (_, id: string) => `url(#${same.get(id) ?? id})`);
}
