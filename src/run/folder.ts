/** Where runs live: naming a new one, finding the newest, and refusing folders that hold something else. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, EXIT } from '../errors.js';
import { assertWritable, codeOf, describeFileError, exists } from '../files.js';

/** "runs/20261124-013000-scratch": the local date and time to the second, and the norm. */
export function defaultRunFolder(norm: string, now: Date = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  return path.join('runs', `${date}-${time}-${norm}`);
}

/** Makes the run folder; it must be new or empty. A default name that is taken gets a number. */
export async function createRunFolder(norm: string, folder?: string): Promise<string> {
  const target = folder ?? (await freeName(defaultRunFolder(norm)));
  const content = await readdir(target).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw cannot(`use the run folder ${target}`, {
      expected: 'a new or empty folder',
      got: codeOf(error) === 'ENOTDIR' ? 'a file' : describeFileError(error),
      hint: 'name another one with --run-dir',
      cause: error,
    });
  });
  if (content.length > 0)
    throw cannot(`use the run folder ${target}`, {
      expected: 'a new or empty folder',
      got: `one that holds ${content.slice(0, 3).join(', ')}`,
      hint: `name another one with --run-dir, or continue that run with --resume '${target}'`,
      exitCode: EXIT.usage,
    });
  await assertWritable(target, `use the run folder ${target}`);
  return target;
}

async function freeName(wanted: string): Promise<string> {
  await mkdir(path.dirname(wanted), { recursive: true }).catch(() => undefined);
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (!(await exists(name))) return name;
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
