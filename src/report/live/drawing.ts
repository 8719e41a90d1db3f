/** ECharts with the few parts that the page's charts are made of, and nothing else. */
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { optionOf } from './options.js';
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

/** Without what hovering would change, names by counters that run on from chart to chart, the page's own font and tiny fractions. */
function shortened(svg: string): string {
  return svg
    .replaceAll(/\s*<style[^]*?<\/style>| class="[^"]*"| ecmeta_\w+="[^"]*"| xml:space="preserve"/g, '')
    .replaceAll(/font-family:[^;"]*;?/g, '')
    .replaceAll(/\b([1-9]\d*\.\d)\d+/g, '$1');
}
