/** Finds a convolution's kernel, where there is a faster one for its shapes than TensorFlow's. */
import { attribute, type Node, sizeOf } from '../graph.js';
import type { Kernel } from './fusedStep.js';

type Shape = readonly number[];

interface Geometry {
  readonly op: string;
  readonly image: Shape;
  readonly filter: Shape;
  readonly result: Shape;
  readonly stride: number;
  readonly same: boolean;
}

/** The kernel for a convolution or one of its gradients; undefined where it is TensorFlow's. */
export function kernelOf(node: Node, shapeOf: (id: number) => Shape): Kernel | undefined {
  const geometry = geometryOf(node, shapeOf);
  if (!geometry || !isFaster(geometry)) return undefined;
  const { op, image, filter, result, stride, same } = geometry;
  const [, height = 0, width = 0] = image;
  const [rows = 0, columns = 0, channels = 0, filters = 0] = filter;
  const [, outRows = 0, outColumns = 0] = result;
  const before = (size: number, taps: number, out: number) =>
    same ? Math.max(0, Math.floor(((out - 1) * stride + taps - size) / 2)) : 0;
  const sizes = [
    ...[height, width, channels, rows, columns, filters, stride, outRows, outColumns],
    ...[before(height, rows, outRows), before(width, columns, outColumns)],
  ];
  const shape = `Shape<${sizes.join(', ')}>`;
  const of = (name: string, packed: number, type = shape) => ({ type: `${name}<${type}>`, packed });
  if (isDepthwise(op)) {
    const kind = op.endsWith('BackpropInput') ? 'DepthwiseInput' : 'Depthwise';
    return of('Columns', rows * columns * period(filters), `${kind}<${shape}>`);
  }
  if (op === 'Conv2DBackpropInput') return of('Input', rows * filters * rounded(columns * channels));
  const taps = rows * columns * channels;
  return isByColumns(geometry) ? of('Columns', taps * period(filters)) : of('Filters', taps * rounded(filters));
}

/** Numbers that a core's second cache has room for beside others. */
const CACHED = 1 << 16;

/**
 * Where filters fill too few lanes, columns of a row do, for which each number of the image is copied for every filter: of
 * which much has to be computed, and which has to stay in the cache.
 */
function isByColumns({ image, filter }: Geometry): boolean {
  const [rows = 0, columns = 0, channels = 0, filters = 0] = filter;
  const [, height = 0, width = 0] = image;
  const isCached = (height + rows) * (width + columns) * channels * filters <= CACHED;
  return filters <= 8 && rows * columns >= 9 && isCached;
}

export const isConvolution = (op: string): boolean => op.startsWith('Conv2D') || isDepthwise(op);

export const isGradient = (op: string): boolean => op.includes('Backprop');

/** Each channel by a filter of its own. */
const isDepthwise = (op: string): boolean => op.startsWith('DepthwiseConv2dNative');

/** To whole vectors of any width. */
const rounded = (size: number) => Math.ceil(size / 16) * 16;

/** The least multiple of a number that is one of 16. */
const period = (size: number) => [1, 2, 4, 8, 16].map((by) => size * by).find((each) => each % 16 === 0) ?? 0;

function geometryOf(node: Node, shapeOf: (id: number) => Shape): Geometry | undefined {
  const { op, inputs } = node;
  const output = node.outputs[0]?.shape ?? [];
  const shape = (i: number) => shapeOf(inputs[i] as number);
  const shapes = op.endsWith('BackpropInput')
    ? { image: output, filter: shape(1), result: shape(2) }
    : op.endsWith('BackpropFilter')
      ? { image: shape(0), filter: output, result: shape(2) }
      : { image: shape(0), filter: shape(1), result: output };
  const [, stride = 1, across = 1] = attribute(node, 'strides') as Shape;
  const dilations = (attribute(node, 'dilations') ?? [1]) as Shape;
  const padding = attribute(node, 'padding');
  if (attribute(node, 'data_format') !== 'NHWC' || stride !== across || dilations.some((size) => size !== 1))
    return undefined;
  // In groups a filter has fewer channels than the image.
  if ((padding !== 'VALID' && padding !== 'SAME') || shapes.image[3] !== shapes.filter[2]) return undefined;
  const [rows = 0, columns = 0, channels = 0, multiplier] = shapes.filter;
  if (isDepthwise(op) && multiplier !== 1) return undefined;
  const filter = isDepthwise(op) ? [rows, columns, 1, channels] : shapes.filter;
  return { op, ...shapes, filter, stride, same: padding === 'SAME' };
}

/**
 * Up to which kernels are faster than TensorFlow's, by measurement: products of channels and filters; a filter's rows and
 * columns, and the stride; and numbers of an image, of which each thread has a copy with padding on its stack. Of a depthwise
 * one those are numbers of as many rows as its filter has: it is as fast for any number of channels.
 */
export const LIMITS = { channels: 512, taps: 7, stride: 2, image: 1 << 16 };

/** The least of a filter's columns and channels by which a gradient fills its lanes. */
const LEAST_LANES = 8;

function isFaster({ op, image, filter, stride }: Geometry): boolean {
  const [rows = 0, columns = 0, channels = 0, filters = 0] = filter;
  const { channels: most, taps, stride: longest, image: largest } = LIMITS;
  if (Math.max(rows, columns) > taps || stride > longest) return false;
  if (isDepthwise(op)) return rows * ((image[2] ?? 0) + columns) * filters <= largest;
  if (op === 'Conv2DBackpropInput' && columns * channels < LEAST_LANES) return false;
  return channels * filters <= most && sizeOf(image.slice(1)) <= largest;
}
