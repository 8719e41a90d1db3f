/** Saved weights read without TensorFlow: the tfjs layers format's manifest and its float32 values. */
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, messageOf } from '../errors.js';
import { codeOf } from '../files.js';

/** One weight: its full name ("batch_norm_BatchNorm1/gamma"), shape and values. */
export interface SavedWeight {
  name: string;
  shape: number[];
  values: Float32Array;
}

export interface WeightSpec {
  name: string;
  shape: number[];
  dtype: 'float32';
}

/** The weights of the model saved in a run folder, in the model's order. */
export async function readWeights(runFolder: string): Promise<SavedWeight[]> {
  const folder = path.join(runFolder, 'model');
  const file = path.join(folder, 'model.json');
  const [json, bytes] = await Promise.all([readFile(file, 'utf8'), readFile(path.join(folder, 'weights.bin'))]).catch(
    (error: unknown) => {
      throw cannot(`read the model of ${runFolder}`, {
        expected: 'model/model.json and model/weights.bin',
        got: codeOf(error) === 'ENOENT' ? 'none' : messageOf(error),
        hint: 'name the folder of a run that finished at least one epoch',
        cause: error,
      });
    },
  );
  return sliceWeights(parseSpecs(json, file), bytes, path.join(folder, 'weights.bin'));
}

function parseSpecs(json: string, file: string): WeightSpec[] {
  try {
    const { weightsManifest } = JSON.parse(json) as { weightsManifest: { weights: unknown }[] };
    return weightsManifest.flatMap(({ weights }) => checkSpecs(weights, file));
  } catch (error) {
    throw cannot(`read ${file}`, {
      expected: 'a tfjs model with a weights manifest',
      got: messageOf(error),
      cause: error,
    });
  }
}

/** Specs as found in a file, checked: float32 weights with a name and a shape of whole numbers. */
export function checkSpecs(specs: unknown, file: string): WeightSpec[] {
  const isSpec = (spec: Partial<WeightSpec> | null): boolean =>
    typeof spec?.name === 'string' &&
    spec.dtype === 'float32' &&
    Array.isArray(spec.shape) &&
    spec.shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (Array.isArray(specs) && specs.every(isSpec)) return specs as WeightSpec[];
  throw cannot(`read ${file}`, {
    expected: 'float32 weights with name and shape',
    got: JSON.stringify(specs ?? null).slice(0, 60),
  });
}

/** Cuts the concatenated little-endian values into weights. Throws unless the length fits exactly. */
export function sliceWeights(specs: WeightSpec[], bytes: Uint8Array, file: string): SavedWeight[] {
  const sizes = specs.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const total = 4 * sizes.reduce((sum, size) => sum + size, 0);
  if (total !== bytes.length)
    throw cannot(`read ${file}`, {
      expected: `${total} bytes of weights`,
      got: `${bytes.length}`,
      hint: 'the file is damaged; train again',
    });
  // A copy, as values must start at a multiple of 4; Buffer's own slice would be a view.
  const { buffer } = new Uint8Array(bytes);
  let offset = 0;
  return specs.map(({ name, shape }, i) => {
    const values = new Float32Array(buffer, offset, sizes[i] ?? 0);
    offset += values.byteLength;
    return { name, shape, values };
  });
}
