/** The one file that loads the addon, TensorFlow.js's stock native package on the runtime that was set up, and what it is made of. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { mendKernels } from './mended.js';

const PACKAGE = '@tensorflow/tfjs-node-gpu';
const require = createRequire(import.meta.url);

/** The stock package's folder; its C++ sources are in `binding`. */
export function stockPackage(): { folder: string; version: string } {
  const file = require.resolve(`${PACKAGE}/package.json`);
  return { folder: path.dirname(file), version: (require(file) as { version: string }).version };
}

/** This project's own part of the addon. */
export const OWN_SOURCE = fileURLToPath(new URL('../../src/runtime/settings.cc', import.meta.url));

/** Changes whenever the addon would be another one. */
export function addonVersion(): string {
  const own = createHash('sha256').update(readFileSync(OWN_SOURCE)).digest('hex').slice(0, 8);
  return `tfjs-${stockPackage().version}-${own}`;
}

/** Loads `addon` as tfjs's native backend, which becomes the one in use. The environment must be as it is to be by then. */
export function loadNative(addon: string): { tensorflow: string; usesGpu: boolean } {
  restoreUtil();
  pointAt(addon);
  require(PACKAGE);
  mendKernels('tensorflow');
  const binding = require(addon) as { TF_Version: string; isUsingGpuDevice: () => boolean };
  return { tensorflow: binding.TF_Version, usesGpu: binding.isUsingGpuDevice() };
}

/** Node 23 removed two functions that the package still calls; Node 22 warns on stderr when it does. */
function restoreUtil(): void {
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] = (value: unknown) => value === null || value === undefined;
  util['isArray'] = Array.isArray;
}

/** The package asks node-pre-gyp where its addon is; this answers with the one in the cache. */
function pointAt(addon: string): void {
  const { folder } = stockPackage();
  const finder = createRequire(path.join(folder, 'package.json'))('@mapbox/node-pre-gyp/lib/pre-binding.js') as {
    find: (packageFile: string, ...rest: unknown[]) => string;
  };
  const find = finder.find;
  finder.find = (packageFile, ...rest) =>
    path.dirname(path.resolve(packageFile)) === folder ? addon : find(packageFile, ...rest);
}
