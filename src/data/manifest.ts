/** The data set's manifest: which files it has, how to know them, and where they come from. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { cannot, messageOf } from '../errors.js';

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
  const file = process.env['BN_TRAIN_DATA_MANIFEST'] ?? fileURLToPath(OWN);
  try {
    return parseManifest(await readFile(file, 'utf8'));
  } catch (error) {
    throw cannot(`read the manifest ${file}`, {
      expected: 'files, sources and folders as in data/fashion-mnist.json',
      got: messageOf(error),
      cause: error,
    });
  }
}

/** Checks a manifest; throws an Error that says what is wrong. */
export function parseManifest(json: string): Manifest {
  const manifest = JSON.parse(json) as Partial<Manifest> | null;
  const { files, sources, folders } = manifest ?? {};
  if (!Array.isArray(files) || !Array.isArray(sources) || !Array.isArray(folders)) throw new Error('a part is missing');
  for (const role of ROLES)
    if (!files.some((file: Partial<DataFile> | null) => file?.role === role)) throw new Error(`no file for ${role}`);
  const badFile = files.findIndex((file) => !isFile(file));
  if (badFile >= 0) throw new Error(`the file ${JSON.stringify(files[badFile])}`);
  const badSource = sources.findIndex((source) => !isSource(source));
  if (badSource >= 0) throw new Error(`the source ${JSON.stringify(sources[badSource])}`);
  if (!folders.every((folder) => typeof folder === 'string')) throw new Error('a folder that is no text');
  return { files, sources, folders };
}

/** Names are joined to folders, so they may not lead out of them. */
function isFile(file: Partial<DataFile> | null): boolean {
  return (
    /^[\w-]+$/.test(String(file?.name)) &&
    Number.isSafeInteger(file?.size) &&
    (file?.size ?? 0) > 0 &&
    /^[0-9a-f]{64}$/.test(String(file?.sha256))
  );
}

function isSource(source: Partial<Record<string, unknown>> | null): boolean {
  if (source?.['kind'] === 'http') return /^https?:\/\/.*\/$/.test(String(source['url']));
  return (
    source?.['kind'] === 'debian' &&
    /^[a-z0-9][a-z0-9.+-]+$/.test(String(source['package'])) &&
    typeof source['folder'] === 'string'
  );
}
