/** Where TensorFlow's libraries may come from, and which folder of the cache belongs to each. */
import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, EXIT } from '../../common/errors.js';
import { cacheDirectory } from '../../common/files.js';
import { addonVersion } from './addon.js';
import { firstMissing, LIBRARIES } from './builds.js';
import { nvidiaSizes } from './cuda.js';
import type { Build } from './pins.js';

/** The folder that the user named, checked; undefined where none was. */
export async function findOverride(runtimeDir: string | undefined): Promise<string | undefined> {
  const folder = runtimeDir ?? process.env['BN_TRAIN_RUNTIME_DIR'];
  if (folder === undefined || folder === '') return undefined;
  const missing = await firstMissing(folder);
  if (missing === undefined) return folder;
  throw cannot(`use the runtime folder ${folder}`, {
    expected: `${LIBRARIES.join(', ')} and include in it, as in TensorFlow's wheel`,
    got: `no ${missing}`,
    hint: 'name such a folder, or leave out --runtime-dir and BN_TRAIN_RUNTIME_DIR',
    exitCode: EXIT.usage,
  });
}

/** The cache folder for a pinned build. */
export function ownFolder(build: Build): string {
  return runtimeFolder(`${build.wheels[0]?.name ?? ''}-${build.version}-${build.platform}-${addonVersion()}`);
}

/** The cache folder for libraries that stay where they are; another one as soon as they change. */
export async function linkedFolder(libraries: string): Promise<string> {
  const real = await realpath(libraries);
  const stats = await Promise.all(LIBRARIES.map((name) => stat(path.join(real, name))));
  const nvidia = Object.entries(await nvidiaSizes(real));
  const own = stats.map(({ size, mtimeMs }) => [size, mtimeMs]);
  const key = JSON.stringify([real, addonVersion(), ...own, ...nvidia]);
  return runtimeFolder(`linked-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`);
}

function runtimeFolder(name: string): string {
  return path.join(cacheDirectory(), 'runtime', name);
}
