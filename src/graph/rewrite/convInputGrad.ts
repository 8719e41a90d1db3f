/** The gradient of a convolution with few channels with respect to its image, a whole image row at a time. */
import { attribute, DTYPE, type Node, sizeOf, types } from '../graph.js';
import type { Editor } from './editor.js';
import type { Rule } from './rule.js';

type Geometry = NonNullable<ReturnType<typeof unitGeometry>>;

/** Measured on AVX-512; above these the plain form is faster, or the matrix gets large. */
const MOST_CHANNELS = 8;
const MOST_ROW = 512;

/**
 * One matrix product leads from all columns and filters of a row of dy to all columns and channels of the image rows it
 * came from, whose overlaps are then added up. It multiplies by some zeros, but along rows of 72 instead of 6 channels.
 * An infinite or undefined dy thus makes NaN of whole image rows, where the plain op would spoil a filter's width of them.
 */
export const convInputGrad: Rule = {
  name: 'convInputGrad',
  on: 'cpu',
  ops: ['Conv2DBackpropInput'],
  apply(node, editor) {
    const [, filter = 0, dy = 0] = node.inputs;
    const geometry = unitGeometry(node, editor.shape(filter), editor.shape(dy));
    if (!geometry) return undefined;
    const { batch, height, width, channels, filterHeight, filters, outHeight, outWidth } = geometry;
    const rows = editor.reshape(dy, [batch * outHeight, outWidth * filters]);
    const product = editor.matMul(rows, bands(editor, filter, geometry), { a: false, b: false });
    const terms = editor.reshape(product, [batch * outHeight * filterHeight, width * channels]);
    return editor.reshape(sumRows(editor, terms, imageRows(geometry), batch * height), node.outputs[0].shape);
  },
};

/**
 * Of an NHWC convolution with stride and dilation 1, by the shapes of its filter and of its own output; undefined for any
 * other, and for a large one. `top` and `left` are the rows and columns of zeros that padding puts before the image.
 */
function unitGeometry(node: Node, filter: readonly number[], output: readonly number[]) {
  const ones = (name: string) => ((attribute(node, name) ?? [1]) as readonly number[]).every((size) => size === 1);
  const padding = attribute(node, 'padding');
  if (attribute(node, 'data_format') !== 'NHWC' || !ones('strides') || !ones('dilations')) return undefined;
  if (padding !== 'VALID' && padding !== 'SAME') return undefined;
  const [batch = 0, height = 0, width = 0, channels = 0] = node.outputs[0]?.shape ?? [];
  const [filterHeight = 0, filterWidth = 0, filterChannels, filters = 0] = filter;
  const [, outHeight = 0, outWidth = 0] = output;
  if (channels !== filterChannels || channels > MOST_CHANNELS) return undefined;
  if (width * channels > MOST_ROW || outWidth * filters > MOST_ROW) return undefined;
  const before = (size: number) => (padding === 'SAME' ? Math.floor((size - 1) / 2) : 0);
  const sizes = { batch, height, width, channels, filterHeight, filterWidth, filters, outHeight, outWidth };
  return { ...sizes, top: before(filterHeight), left: before(filterWidth) };
}

/** The filter as a matrix from [column of dy, filter] to [filter row, column of the image, channel]. */
function bands(editor: Editor, filter: number, geometry: Geometry): number {
  const { filterHeight, filterWidth, filters, channels, width, outWidth, left } = geometry;
  const taps = editor.reshape(editor.transpose(filter, [0, 1, 3, 2]), [filterHeight * filterWidth * filters, channels]);
  const wanted: (number | undefined)[] = [];
  for (let column = 0; column < outWidth; column++)
    for (let f = 0; f < filters; f++)
      for (let ky = 0; ky < filterHeight; ky++)
        for (let x = 0; x < width; x++) {
          const kx = x - column + left;
          wanted.push(kx >= 0 && kx < filterWidth ? (ky * filterWidth + kx) * filters + f : undefined);
        }
  return editor.reshape(editor.gatherOrZero(taps, wanted), [outWidth * filters, filterHeight * width * channels]);
}

/** For [image, row of dy, filter row]: the row of all images that it adds to, or -1 for one of the padding. */
function imageRows({ batch, height, outHeight, filterHeight, top }: Geometry): number[] {
  return Array.from({ length: batch * outHeight * filterHeight }, (_, i) => {
    const image = Math.floor(i / filterHeight / outHeight);
    const row = (Math.floor(i / filterHeight) % outHeight) + (i % filterHeight) - top;
    return row >= 0 && row < height ? image * height + row : -1;
  });
}

/** Row r of the result is the sum of the rows of `x` whose entry in `targets` is r. */
function sumRows(editor: Editor, x: number, targets: number[], rows: number): number {
  const attributes = types({ T: DTYPE.float32, Tindices: DTYPE.int32, Tnumsegments: DTYPE.int32 });
  const inputs = [x, editor.ints(targets), editor.ints([rows], [])];
  return editor.op('UnsortedSegmentSum', attributes, inputs, [rows, sizeOf(editor.shape(x)) / targets.length]);
}
