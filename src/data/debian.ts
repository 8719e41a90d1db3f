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
  const state = await ownState(work);
  await run('apt-get', ['download', source.package], work, source.package).catch(async (error: unknown) => {
    if (codeOf((error as Error).cause) === 'ENOENT') throw error;
    await run('apt-get', [...state, 'update'], work, source.package);
    await run('apt-get', [...state, 'download', source.package], work, source.package);
  });
  const deb = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (deb === undefined)
    throw cannot(`download the Debian package ${source.package}`, { expected: 'a .deb file', got: 'none' });
  await run('dpkg-deb', ['-x', deb, 'unpacked'], work, source.package);
  return path.join(work, 'unpacked', source.folder);
}

async function ownState(work: string): Promise<string[]> {
  const folders = { 'Dir::State::Lists': 'lists', 'Dir::Cache': 'cache' };
  await mkdir(path.join(work, 'lists/partial'), { recursive: true });
  await mkdir(path.join(work, 'cache/archives/partial'), { recursive: true });
  return Object.entries(folders).flatMap(([name, folder]) => ['-o', `${name}=${path.join(work, folder)}`]);
}

async function run(command: string, args: string[], cwd: string, name: string): Promise<void> {
  await execute(command, args, { cwd, env: { ...process.env, LC_ALL: 'C' }, timeout: 300_000 }).catch(
    (error: unknown) => {
      const stderr = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
      throw cannot(`download the Debian package ${name}`, {
        expected: `${command} to work`,
        got: codeOf(error) === 'ENOENT' ? 'no such command' : (stderr ?? 'a failure'),
        cause: error,
      });
    },
  );
}
