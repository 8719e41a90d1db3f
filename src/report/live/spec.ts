/** What a chart shows, as plain data: it is drawn from this on the server, and once more, live, in the page. */

export interface ChartAxis {
  name: string;
  unit?: string;
  logarithmic?: boolean;
  /** Ends that are given hold; the others follow the data. */
  min?: number;
  max?: number;
}

export interface Reference {
  name: string;
  y: number;
}

export interface LineSeries {
  /** Series of one name are shown and hidden together. */
  name: string;
  /** Which of the palette's tones, and with it which dashes and marks. */
  tone: number;
  x: number[];
  /** Null where there is nothing to draw. */
  y: (number | null)[];
  /** One of many behind the line that counts: thin, without marks, silent. */
  faint?: boolean;
  /** Only its marks. */
  scattered?: boolean;
}

export interface LineSpec {
  kind: 'lines';
  x: ChartAxis;
  y: ChartAxis;
  series: LineSeries[];
  references?: Reference[];
}

export interface DotGroup {
  name: string;
  tone: number;
  values: number[];
  /** Which of the values are bounds, drawn hollow; none if not given. */
  bounds?: boolean[];
  /** What is drawn beside the dots; the widest interval is the thinnest bar. */
  mean?: number;
  intervals?: { low: number; high: number; name: string }[];
}

export interface DotSpec {
  kind: 'dots';
  /** Values from left to right and groups from the top down, instead of upwards and from left to right. */
  lying?: boolean;
  y: ChartAxis;
  groups: DotGroup[];
  references?: Reference[];
}

export interface BarSpec {
  kind: 'bars';
  x: ChartAxis;
  y: ChartAxis;
  /** Of the bars, from left to right. */
  categories: string[];
  /** Which of them stand below the axis, where not as many as have room. */
  labelled?: number[];
  series: { name: string; tone: number; values: (number | null)[] }[];
}

export interface HeatSpec {
  kind: 'heat';
  x: ChartAxis;
  y: ChartAxis;
  columns: string[];
  rows: string[];
  /** A text of its own where the number alone would say too little. */
  cells: { column: number; row: number; value: number | null; text?: string }[];
  /** What the palest and the deepest cell stand for; the data's own ends if not given. */
  min?: number;
  max?: number;
}

export type ChartSpec = LineSpec | DotSpec | BarSpec | HeatSpec;
