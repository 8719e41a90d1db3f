/** Where runs live: naming a new one, finding the newest, and refusing folders that hold something else. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, EXIT } from '../common/errors.js';
import { assertWritable, codeOf, describeFileError } from '../common/files.js';
import { isLeftover } from './hold.js';

/** "runs/20261124-013000-scratch": the local date and time to the second, and the norm. */
export function defaultRunFolder(norm: string, now: Date = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  return path.join('runs', `${date}-${time}-${norm}`);
}

/** Makes the run folder; it must be new or empty. A default name that is taken gets a number. */
export async function createRunFolder(norm: string, folder?: string): Promise<string> {
  const target = folder ?? (await makeNumbered(defaultRunFolder(norm)));
  await assertUnused(target);
  await assertWritable(target, `use the run folder ${target}`);
  return target;
}

/** Throws unless a folder is missing or empty. What a run leaves that was killed before it began does not count. */
export async function assertUnused(target: string): Promise<void> {
  const content = await readdir(target).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw cannot(`use the run folder ${target}`, {
      expected: 'a new or empty folder',
      got: codeOf(error) === 'ENOTDIR' ? 'a file' : describeFileError(error),
      hint: 'name another one with --run-dir',
      cause: error,
    });
  });
  const taken = content.filter((name) => !isLeftover(name));
  if (taken.length > 0)
    throw cannot(`use the run folder ${target}`, {
      expected: 'a new or empty folder',
      got: `one that holds ${taken.slice(0, 3).join(', ')}`,
      hint: `name another one with --run-dir, or continue that run with --resume '${target}'`,
      exitCode: EXIT.usage,
    });
}

async function makeNumbered(wanted: string): Promise<string> {
  // What fails here fails again in assertWritable, with words.
  await mkdir(path.dirname(wanted), { recursive: true }).catch(() => undefined);
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    // Two runs that begin in the same second must not both take it, so making it is the question whether it is free.
    const taken = await mkdir(name).then(
      () => false,
      (error: unknown) => codeOf(error) === 'EEXIST',
    );
    if (!taken) return name;
  }
}

/** The newest folder in ./runs that holds a run. */
export async function newestRun(runs = 'runs'): Promise<string> {
  const names = await readdir(runs).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const folder = path.join(runs, name);
      const config = await stat(path.join(folder, 'config.json')).catch(() => undefined);
      return config && { folder, changed: config.mtimeMs };
    }),
  );
  const newest = found.filter((run) => run !== undefined).sort((a, b) => b.changed - a.changed)[0];
  if (!newest)
    throw cannot('find a run', {
      expected: `at least one run in ${path.resolve(runs)}`,
      got: 'none',
      hint: 'train one: bn-train scratch, or name its folder',
    });
  return newest.folder;
}
