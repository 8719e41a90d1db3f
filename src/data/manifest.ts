/** The data set's manifest: which files it has, how to know them, and where they come from. */
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { cannot, shown } from '../common/errors.js';
import { describeFileError, JSON_LIMIT, readBounded } from '../common/files.js';
import { check, oneOf, parseObject, type Problem, text, whole } from '../common/shape.js';

const ROLES = ['trainImages', 'trainLabels', 'testImages', 'testLabels'] as const;
export type Role = (typeof ROLES)[number];

/** The most bytes of a file: they are read whole, which ends at 2 GiB. */
export const LARGEST = 2 ** 31 - 1;

const FILE = v.object({
  role: oneOf('a role', ROLES),
  // Joined to folders, so it may not lead out of them.
  name: text('a name', /^[\w-]{1,100}$/),
  // Of the unpacked file, as mirrors compress differently.
  size: whole(1, LARGEST),
  sha256: text('a SHA-256', /^[0-9a-f]{64}$/),
});
export type DataFile = v.InferOutput<typeof FILE>;

const HTTP = v.object({
  kind: v.literal('http'),
  url: v.pipe(
    text('an address', /^https?:\/\/.*\/$/),
    v.check((url) => URL.canParse(url)),
  ),
});
const DEBIAN = v.object({
  kind: v.literal('debian'),
  package: text('a name', /^[a-z0-9][a-z0-9.+-]+$/),
  folder: text('a folder', /^(?!(.*\/)?\.\.(\/|$))[\w.-]+(\/[\w.-]+)*$/),
});
export type Source = v.InferOutput<typeof HTTP> | v.InferOutput<typeof DEBIAN>;

const MANIFEST = v.object({
  files: v.array(FILE),
  // Tried in order.
  sources: v.array(v.variant('kind', [HTTP, DEBIAN])),
  // Of the machine, where the files may be already; "~" is the home folder.
  folders: v.array(text()),
});
export type Manifest = v.InferOutput<typeof MANIFEST>;

const OWN = new URL('../../data/fashion-mnist.json', import.meta.url);

/** The package's manifest, or the one that BN_TRAIN_DATA_MANIFEST names (a mirror of one's own). */
export async function readManifest(): Promise<Manifest> {
  const file = process.env['BN_TRAIN_DATA_MANIFEST'] || fileURLToPath(OWN);
  const content = await readBounded(file, JSON_LIMIT).catch((error: unknown) => {
    throw cannot(`read the manifest ${file}`, {
      expected: 'a file as data/fashion-mnist.json',
      got: describeFileError(error),
      hint: 'name another one with BN_TRAIN_DATA_MANIFEST, or unset it',
      cause: error,
    });
  });
  return parseManifest(content.toString(), file);
}

/** Checks a manifest; throws a BnTrainError that names `file` and says what is wrong. */
export function parseManifest(json: string, file: string): Manifest {
  const manifest = parseObject(json, file) as unknown as Manifest;
  const result = check(MANIFEST, manifest);
  const wrong = 'problem' in result ? wordsFor(result.problem, manifest) : problemOf(manifest);
  if (wrong === undefined) return manifest;
  throw cannot(`read the manifest ${file}`, {
    expected: 'files, sources and folders as in data/fashion-mnist.json',
    got: wrong,
  });
}

/** The whole entry, as that is what a person looks for in the file. */
function wordsFor({ field }: Problem, { files, sources }: Manifest): string {
  const [part, index] = field.split('.');
  if (index === undefined) return 'a part is missing';
  if (part === 'folders') return 'a folder that is no text';
  return part === 'files' ? `the file ${shown(files[Number(index)])}` : `the source ${shown(sources[Number(index)])}`;
}

function problemOf({ files }: Manifest): string | undefined {
  for (const role of ROLES) {
    const { length } = files.filter((file) => file.role === role);
    if (length !== 1) return `${length === 0 ? 'no file' : `${length} files`} for ${role}`;
  }
  return new Set(files.map(({ name }) => name)).size < files.length ? 'two files of one name' : undefined;
}
