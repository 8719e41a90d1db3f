/** The data set out of Debian's package, fetched and unpacked without root. */
import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { cannot } from '../common/errors.js';
import { codeOf } from '../common/files.js';

const execute = promisify(execFile);

/**
 * Downloads the package (apt checks its signature) and unpacks it below `work`, an empty folder; returns the folder
 * with the data. The machine's package lists are tried first, then fresh ones kept in `work`.
 */
export async function fetchDebian(source: { package: string; folder: string }, work: string): Promise<string> {
  const run = (command: string, ...args: string[]) => runIn(work, command, args, source.package);
  await mkdir(path.join(work, 'lists/partial'), { recursive: true });
  await mkdir(path.join(work, 'cache/archives/partial'), { recursive: true });
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

async function runIn(cwd: string, command: string, args: string[], name: string): Promise<void> {
  const options = { cwd, env: { ...process.env, LC_ALL: 'C' }, timeout: 300_000 };
  await execute(command, args, options).catch((cause: unknown) => {
    const stderr = (cause as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    throw cannot(`download the Debian package ${name}`, {
      expected: `${command} to work`,
      got: codeOf(cause) === 'ENOENT' ? 'no such command' : stderr || 'a failure',
      cause,
    });
  });
}
