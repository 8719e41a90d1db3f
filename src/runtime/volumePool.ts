/** The gradient of a maximum over volumes, made of gradients over planes. */
import * as tf from '@tensorflow/tfjs';

interface Inputs {
  dy: tf.Tensor5D;
  input: tf.Tensor5D;
  /** The maxima of `input`. */
  output: tf.Tensor5D;
}

/** What a window spans along two axes, and how far it moves. */
type Window = Pick<tf.MaxPoolAttrs, 'pad' | 'dimRoundingMode'> & Record<'filterSize' | 'strides', [number, number]>;

/**
 * [batch, depth, height, width, channels], as the input: what reaches the maximum of a volume reaches the highest of the
 * maxima of its planes, and there the maximum of that plane.
 */
export function maxPool3dGrad({ dy, input, output }: Inputs, attrs: tf.MaxPool3DGradAttrs) {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const along = (size: number | readonly number[], axis: number) =>
    typeof size === 'number' ? size : (size[axis] ?? 1);
  // A number, which the stock pooling has both axes padded by, and computes sizes of as if windows were square.
  const padded = (beside: number): Window['pad'] =>
    typeof pad === 'number'
      ? [
          [0, 0],
          [pad, pad],
          [beside, beside],
          [0, 0],
        ]
      : pad;
  const column: Window = {
    filterSize: [along(filterSize, 0), 1],
    strides: [along(strides, 0), 1],
    pad: padded(0),
    dimRoundingMode,
  };
  const plane: Window = {
    filterSize: [along(filterSize, 1), along(filterSize, 2)],
    strides: [along(strides, 1), along(strides, 2)],
    pad: padded(Number(pad)),
    dimRoundingMode,
  };
  const [batch, depth, height, width, channels] = input.shape;
  const columns = (x: tf.Tensor, length: number) => x.reshape([batch, length, -1, channels]);
  return tf.tidy(() => {
    const planes = input.reshape<tf.Tensor4D>([batch * depth, height, width, channels]);
    const highest = planes.maxPool(plane.filterSize, plane.strides, plane.pad, dimRoundingMode);
    const [reaching, highestOfAll] = [dy, output].map((x) => columns(x, output.shape[1])) as [tf.Tensor, tf.Tensor];
    const reached = gradient(reaching, columns(highest, depth), highestOfAll, column);
    return gradient(reached.reshape(highest.shape), planes, highest, plane).reshape<tf.Tensor5D>(input.shape);
  });
}

function gradient(dy: tf.Tensor, input: tf.Tensor, output: tf.Tensor, window: Window): tf.Tensor {
  return tf.engine().runKernel('MaxPoolGrad', { dy, input, output }, window);
}
