/** The data set's manifest: which files it has, how to know them, and where they come from. */
import { fileURLToPath } from 'node:url';
import { cannot, shown } from '../common/errors.js';
import { describeFileError, JSON_LIMIT, readBounded } from '../common/files.js';
import { parseObject } from '../common/shape.js';

export const ROLES = ['trainImages', 'trainLabels', 'testImages', 'testLabels'] as const;
export type Role = (typeof ROLES)[number];

export interface DataFile {
  role: Role;
  name: string;
  /** Of the unpacked file, in bytes and as SHA-256; mirrors compress differently, so nothing else identifies it. */
  size: number;
  sha256: string;
}

export type Source = { kind: 'http'; url: string } | { kind: 'debian'; package: string; folder: string };

export interface Manifest {
  files: DataFile[];
  /** Tried in order. */
  sources: Source[];
  /** Folders of the machine that may hold the files already; "~" is the home folder. */
  folders: string[];
}

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
  const manifest = parseObject(json, file);
  const wrong = problemOf(manifest);
  if (wrong === undefined) return manifest as unknown as Manifest;
  throw cannot(`read the manifest ${file}`, {
    expected: 'files, sources and folders as in data/fashion-mnist.json',
    got: wrong,
  });
}

function problemOf({ files, sources, folders }: Record<string, unknown>): string | undefined {
  if (!Array.isArray(files) || !Array.isArray(sources) || !Array.isArray(folders)) return 'a part is missing';
  const entries = files as (Partial<DataFile> | null)[];
  const badFile = entries.findIndex((file) => !isFile(file));
  if (badFile >= 0) return `the file ${shown(files[badFile])}`;
  for (const role of ROLES) {
    const count = entries.filter((file) => file?.role === role).length;
    if (count !== 1) return `${count === 0 ? 'no file' : `${count} files`} for ${role}`;
  }
  if (new Set(entries.map((file) => file?.name)).size < entries.length) return 'two files of one name';
  const badSource = sources.findIndex((source: Partial<Record<string, unknown>> | null) => !isSource(source));
  if (badSource >= 0) return `the source ${shown(sources[badSource])}`;
  return folders.every((folder) => typeof folder === 'string') ? undefined : 'a folder that is no text';
}

/** Whether a value is text of this form; arrays of one text would pass as such in a regular expression. */
function isText(value: unknown, form: RegExp): value is string {
  return typeof value === 'string' && form.test(value);
}

/** Files are read whole, which ends at 2 GiB; names are joined to folders, so they may not lead out of them. */
function isFile(file: Partial<DataFile> | null): boolean {
  return (
    ROLES.some((role) => role === file?.role) &&
    isText(file?.name, /^[\w-]{1,100}$/) &&
    Number.isSafeInteger(file.size) &&
    (file.size ?? 0) > 0 &&
    (file.size ?? 0) < 2 ** 31 &&
    isText(file.sha256, /^[0-9a-f]{64}$/)
  );
}

function isSource(source: Partial<Record<string, unknown>> | null): boolean {
  if (source?.['kind'] === 'http') return isText(source['url'], /^https?:\/\/.*\/$/) && URL.canParse(source['url']);
  return (
    source?.['kind'] === 'debian' &&
    isText(source['package'], /^[a-z0-9][a-z0-9.+-]+$/) &&
    isText(source['folder'], /^[\w.-]+(\/[\w.-]+)*$/) &&
    !source['folder'].split('/').includes('..')
  );
}
