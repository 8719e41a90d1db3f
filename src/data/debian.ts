/** The data set out of Debian's package, fetched and unpacked without root. */
import { readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { lastLine, type Outcome, runCommand } from '../common/command.js';
import { cannot } from '../common/errors.js';
import { makeFolder } from '../common/files.js';

/**
 * Downloads the package (apt checks its signature) and unpacks it below `work`, an empty folder; returns the folder
 * with the data. The machine's package lists are tried first, then fresh ones kept in `work`.
 */
export async function fetchDebian(
  source: { package: string; folder: string },
  work: string,
  signal?: AbortSignal,
): Promise<string> {
  const action = `download the Debian package ${source.package}`;
  const run = (command: string, ...args: string[]) =>
    runCommand(command, args, { cwd: work, env: { LC_ALL: 'C' }, timeout: 300_000, signal });
  const assertDone = (command: string, outcome: Outcome | undefined) => {
    const got = outcome ? lastLine(outcome.stderr) || 'a failure' : 'no such command';
    if (outcome?.code !== 0) throw cannot(action, { expected: `${command} to work`, got });
  };
  await makeFolder(path.join(work, 'lists/partial'));
  await makeFolder(path.join(work, 'cache/archives/partial'));
  const own = ['-o', `Dir::State::Lists=${path.join(work, 'lists')}`, '-o', `Dir::Cache=${path.join(work, 'cache')}`];
  let download = await run('apt-get', 'download', source.package);
  if (download && download.code !== 0) {
    assertDone('apt-get', await run('apt-get', ...own, 'update'));
    download = await run('apt-get', ...own, 'download', source.package);
  }
  assertDone('apt-get', download);
  const deb = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) throw cannot(action, { expected: 'a .deb file', got: 'none' });
  assertDone('dpkg-deb', await run('dpkg-deb', '-x', deb, 'unpacked'));
  return path.join(work, 'unpacked', source.folder);
}
