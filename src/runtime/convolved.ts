/** The shapes that convolutions give, by what tfjs hands to their kernels. */
import * as tf from '@tensorflow/tfjs';

/** tfjs lets a caller pass null for no dilation. */
export type Dilations = { dilations?: tf.Conv2DAttrs['dilations'] | null };
type Attributes = Pick<tf.Conv2DAttrs, 'strides' | 'pad'> & Partial<Omit<tf.Conv2DAttrs, 'dilations'>> & Dilations;

export function convolved(
  input: readonly number[],
  filter: readonly number[],
  attributes: Attributes,
  depthwise = false,
) {
  const { strides, pad, dataFormat = 'NHWC', dilations, dimRoundingMode } = attributes;
  const shapes = [input, filter] as unknown as [tf.Tensor4D['shape'], tf.Tensor4D['shape']];
  const format = tf.backend_util.convertConv2DDataFormat(dataFormat);
  return tf.backend_util.computeConv2DInfo(...shapes, strides, dilations ?? 1, pad, dimRoundingMode, depthwise, format);
}

export function convolved3d(input: readonly number[], filter: readonly number[], attributes: object) {
  const {
    strides,
    pad,
    dilations = 1,
  } = attributes as Pick<tf.Conv3DAttrs, 'strides' | 'pad'> & Partial<tf.Conv3DAttrs>;
  const shapes = [input, filter] as unknown as [tf.Tensor5D['shape'], tf.Tensor5D['shape']];
  return tf.backend_util.computeConv3DInfo(...shapes, strides, dilations, pad);
}
