/** A convolution's geometry, as the rules see it. */
import { attribute, DTYPE, type Node } from '../graph.js';

export interface Geometry {
  batch: number;
  height: number;
  width: number;
  channels: number;
  filterHeight: number;
  filterWidth: number;
  filters: number;
  outHeight: number;
  outWidth: number;
  /** Rows and columns of zeros that padding puts before the image. */
  top: number;
  left: number;
}

export type Shapes = Record<'image' | 'filter' | 'output', readonly number[]>;

/** Of a float32 NHWC convolution with stride and dilation 1 between these shapes; undefined for any other. */
export function unitGeometry(node: Node, { image, filter, output }: Shapes): Geometry | undefined {
  const ones = (name: string) => ((attribute(node, name) ?? [1]) as readonly number[]).every((size) => size === 1);
  const padding = attribute(node, 'padding');
  if (attribute(node, 'data_format') !== 'NHWC' || !ones('strides') || !ones('dilations')) return undefined;
  if (padding !== 'VALID' && padding !== 'SAME') return undefined;
  const [batch = 0, height = 0, width = 0, channels = 0] = image;
  const [filterHeight = 0, filterWidth = 0, filterChannels, filters = 0] = filter;
  const [, outHeight = 0, outWidth = 0] = output;
  if (node.outputs[0]?.dtype !== DTYPE.float32 || channels !== filterChannels) return undefined;
  const before = (size: number) => (padding === 'SAME' ? Math.floor((size - 1) / 2) : 0);
  const sizes = { batch, height, width, channels, filterHeight, filterWidth, filters, outHeight, outWidth };
  return { ...sizes, top: before(filterHeight), left: before(filterWidth) };
}
