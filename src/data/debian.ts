/** The data set out of Debian's package, fetched and unpacked without root. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { cannot } from '../common/errors.js';
import { codeOf, makeFolder } from '../common/files.js';

const execute = promisify(execFile);

/**
 * Downloads the package (apt checks its signature) and unpacks it below `work`, an empty folder; returns the folder
 * with the data. The machine's package lists are tried first, then fresh ones kept in `work`.
 */
export async function fetchDebian(
  source: { package: string; folder: string },
  work: string,
  signal?: AbortSignal,
): Promise<string> {
  const run = (command: string, ...args: string[]) => runIn(work, command, args, { name: source.package, signal });
  await makeFolder(path.join(work, 'lists/partial'));
  await makeFolder(path.join(work, 'cache/archives/partial'));
  const own = ['-o', `Dir::State::Lists=${path.join(work, 'lists')}`, '-o', `Dir::Cache=${path.join(work, 'cache')}`];
  await run('apt-get', 'download', source.package).catch(async (error: unknown) => {
    if (codeOf((error as Error).cause) === 'ENOENT') throw error;
    await run('apt-get', ...own, 'update');
    await run('apt-get', ...own, 'download', source.package);
  });
  const deb = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (deb === undefined)
    throw cannot(`download the Debian package ${source.package}`, { expected: 'a .deb file', got: 'none' });
  await run('dpkg-deb', '-x', deb, 'unpacked');
  return path.join(work, 'unpacked', source.folder);
}

async function runIn(
  cwd: string,
  command: string,
  args: string[],
  { name, signal }: { name: string; signal: AbortSignal | undefined },
): Promise<void> {
  const options = { cwd, env: { ...process.env, LC_ALL: 'C' }, timeout: 300_000, signal };
  await execute(command, args, options).catch((cause: unknown) => {
    signal?.throwIfAborted();
    const stderr = (cause as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    throw cannot(`download the Debian package ${name}`, {
      expected: `${command} to work`,
      got: codeOf(cause) === 'ENOENT' ? 'no such command' : stderr || 'a failure',
      cause,
    });
  });
}
