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

/** Without what hovering would change, names by counters that run on, what the page's styles say of all texts, and tiny fractions. */
function shortened(svg: string): string {
  const still = svg
    .replaceAll(/\s*<style[^]*?<\/style>| class="[^"]*"| ecmeta_\w+="[^"]*"| xml:space="preserve"/g, '')
    .replaceAll(/ pointer-events="[^"]*"| dominant-baseline="central"|font-family:[^;"]*;?/g, '')
    .replaceAll(' style="font-size:12px;"', '')
    .replaceAll(/\b([1-9]\d*\.\d)\d+/g, '$1');
  return withSharedClips(still);
}

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
