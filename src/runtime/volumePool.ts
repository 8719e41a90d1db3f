/** The gradient of a maximum over volumes, made of gradients over planes. */
import * as tf from '@tensorflow/tfjs';

interface Inputs {
  dy: tf.Tensor5D;
  input: tf.Tensor5D;
  /** The maxima of `input`. */
  output: tf.Tensor5D;
}

/** What a window spans along two axes, and how far it moves. */
type Window = Pick<tf.MaxPoolAttrs, 'pad'> & Record<'filterSize' | 'strides', [number, number]>;

/**
 * [batch, depth, height, width, channels], as the input: what reaches the maximum of a volume reaches the highest of the
 * maxima of its planes, and there the maximum of that plane.
 */
export function maxPool3dGrad({ dy, input, output }: Inputs, { filterSize, strides, pad }: tf.MaxPool3DGradAttrs) {
  const along = (size: number | readonly number[], axis: number) =>
    typeof size === 'number' ? size : (size[axis] ?? 1);
  const column: Window = { filterSize: [along(filterSize, 0), 1], strides: [along(strides, 0), 1], pad };
  const plane: Window = {
    filterSize: [along(filterSize, 1), along(filterSize, 2)],
    strides: [along(strides, 1), along(strides, 2)],
    pad,
  };
  const [batch, depth, height, width, channels] = input.shape;
  const columns = (x: tf.Tensor, length: number) => x.reshape([batch, length, -1, channels]);
  return tf.tidy(() => {
    const planes = input.reshape<tf.Tensor4D>([batch * depth, height, width, channels]);
    const highest = planes.maxPool(plane.filterSize, plane.strides, pad);
    const [reaching, highestOfAll] = [dy, output].map((x) => columns(x, output.shape[1])) as [tf.Tensor, tf.Tensor];
    const reached = gradient(reaching, columns(highest, depth), highestOfAll, column);
    return gradient(reached.reshape(highest.shape), planes, highest, plane).reshape<tf.Tensor5D>(input.shape);
  });
}

function gradient(dy: tf.Tensor, input: tf.Tensor, output: tf.Tensor, window: Window): tf.Tensor {
  return tf.engine().runKernel('MaxPoolGrad', { dy, input, output }, window);
}
