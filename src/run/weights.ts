/** Saved weights read without TensorFlow: the tfjs layers format's manifest and its float32 values. */
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { type BnTrainError, cannot, messageOf, shown } from '../common/errors.js';
import { codeOf, JSON_LIMIT, readBounded } from '../common/files.js';
import { parseObject } from '../common/shape.js';

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

/** The most bytes that a file with weights may have; LeNet's are 178 kB. */
export const WEIGHTS_LIMIT = 2 ** 26;

const DAMAGED = 'the file is damaged; train again';

/** SHA-256 of the weights' values together with what says how they are cut, as hexadecimal digits. */
export function checksum(specs: WeightSpec[], bytes: Uint8Array): string {
  return createHash('sha256')
    .update(`${JSON.stringify(specs)}\n`)
    .update(bytes)
    .digest('hex');
}

/** The weights of the model saved in a run folder, in the model's order. Throws a BnTrainError unless they are whole. */
export async function readWeights(runFolder: string): Promise<SavedWeight[]> {
  const [json, bin] = ['model.json', 'weights.bin'].map((name) => path.join(runFolder, 'model', name)) as [
    string,
    string,
  ];
  for (;;) {
    const [text, bytes] = await Promise.all([readBounded(json, JSON_LIMIT), readBounded(bin, WEIGHTS_LIMIT)]).catch(
      (error: unknown) => Promise.reject(noModel(runFolder, error)),
    );
    try {
      return parseWeights({ json, text: text.toString(), bin, bytes });
    } catch (error) {
      // Two files read one by one need not belong together where a run that goes on replaces them meanwhile.
      if (text.equals(await readBounded(json, JSON_LIMIT))) throw error;
    }
  }
}

function noModel(runFolder: string, error: unknown): BnTrainError {
  return cannot(`read the model of ${runFolder}`, {
    expected: 'model/model.json and model/weights.bin',
    got: codeOf(error) === 'ENOENT' ? 'none' : messageOf(error),
    hint: 'name the folder of a run that finished at least one epoch',
    cause: error,
  });
}

/** The weights that a model.json describes; `json` and `bin` name the files in messages. */
export function parseWeights(files: { json: string; text: string; bin: string; bytes: Uint8Array }): SavedWeight[] {
  const { json, bin, bytes } = files;
  const model = parseObject(files.text, json) as { weightsManifest?: unknown; userDefinedMetadata?: unknown };
  const specs = checkSpecs(specsOf(model.weightsManifest, json), json);
  const weights = sliceWeights(specs, bytes, bin);
  const allowed = checksumsOf(model.userDefinedMetadata, json);
  const got = checksum(specs, bytes);
  if (allowed.includes(got)) return weights;
  throw cannot(`read ${bin}`, { expected: `weights with SHA-256 ${allowed.join(' or ')}`, got, hint: DAMAGED });
}

/** The checksums of the weights that belong to a model.json: these, and for a moment those before them. */
function checksumsOf(metadata: unknown, file: string): string[] {
  const sums = (metadata as { weightsSha256?: unknown } | null | undefined)?.weightsSha256;
  const isSum = (sum: unknown) => typeof sum === 'string' && /^[0-9a-f]{64}$/.test(sum);
  if (Array.isArray(sums) && sums.length <= 2 && sums.every(isSum)) return sums as string[];
  throw cannot(`read ${file}`, { expected: 'the checksums of its weights', got: shown(sums), hint: DAMAGED });
}

function specsOf(manifest: unknown, file: string): unknown {
  const [group, ...rest] = Array.isArray(manifest) ? (manifest as unknown[]) : [];
  if (typeof group === 'object' && group !== null && 'weights' in group && rest.length === 0) return group.weights;
  throw cannot(`read ${file}`, { expected: 'a tfjs model with a weights manifest', got: shown(manifest) });
}

/** Specs as found in a file, checked: float32 weights with a name and a shape of whole numbers. */
export function checkSpecs(specs: unknown, file: string): WeightSpec[] {
  const isSpec = (spec: Partial<WeightSpec> | null): boolean =>
    typeof spec?.name === 'string' &&
    spec.dtype === 'float32' &&
    Array.isArray(spec.shape) &&
    spec.shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  // Copies of what was checked, without whatever else the file may say.
  if (Array.isArray(specs) && specs.every(isSpec))
    return (specs as WeightSpec[]).map(({ name, shape, dtype }) => ({ name, shape, dtype }));
  throw cannot(`read ${file}`, { expected: 'float32 weights with name and shape', got: shown(specs ?? null) });
}

/** Cuts the concatenated little-endian values into weights. Throws unless the length fits exactly. */
export function sliceWeights(specs: WeightSpec[], bytes: Uint8Array, file: string): SavedWeight[] {
  const sizes = specs.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const total = 4 * sizes.reduce((sum, size) => sum + size, 0);
  if (total !== bytes.length)
    throw cannot(`read ${file}`, { expected: `${total} bytes of weights`, got: `${bytes.length}`, hint: DAMAGED });
  // A copy, as values must start at a multiple of 4; Buffer's own slice would be a view.
  const { buffer } = new Uint8Array(bytes);
  let offset = 0;
  return specs.map(({ name, shape }, i) => {
    const values = new Float32Array(buffer, offset, sizes[i] ?? 0);
    offset += values.byteLength;
    return { name, shape, values };
  });
}

/** Throws a BnTrainError that names `origin` unless the weights have these shapes, in this order. */
export function assertShapes(weights: SavedWeight[], shapes: (number | null)[][], origin: string): void {
  const found = weights.map(({ shape }) => `[${shape.join(', ')}]`);
  const wanted = shapes.map((shape) => `[${shape.join(', ')}]`);
  const wrong = wanted.findIndex((shape, i) => shape !== found[i]);
  if (wrong < 0 && found.length === wanted.length) return;
  throw cannot(`use the weights of ${origin}`, {
    expected: wrong < 0 ? `${wanted.length} of them` : `the shape ${wanted[wrong] ?? ''} for weight ${wrong + 1}`,
    got: wrong < 0 ? `${found.length}` : (found[wrong] ?? 'none'),
    hint: 'config.json belongs to another run, or the file is damaged; train again',
  });
}
