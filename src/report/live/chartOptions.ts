/** What ECharts is told to draw a chart: axes, tooltip and the series of its kind. */
import type { EChartsCoreOption } from 'echarts/core';
import { barParts } from './bars.js';
import { dotParts } from './dots.js';
import { heatParts } from './heat.js';
import { lineParts } from './lineSeries.js';
import type { ChartSpec } from './spec.js';

/** The options of a chart that is `width` pixels wide. */
export function optionOf(spec: ChartSpec, width: number): EChartsCoreOption {
  return {
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    ...partsOf(spec, width),
  };
}

function partsOf(spec: ChartSpec, width: number): EChartsCoreOption {
  switch (spec.kind) {
    case 'lines':
      return lineParts(spec, width);
    case 'dots':
      return dotParts(spec, width);
    case 'bars':
      return barParts(spec, width);
    case 'heat':
      return heatParts(spec, width);
  }
}
