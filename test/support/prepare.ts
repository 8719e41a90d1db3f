/** Before any test: the program is built, and the runtime and the data set are on the machine. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { program, root } from './program.js';

/** What follows has a temporary folder of its own, so that nothing is left behind, be it by processes that are killed. */
export default function prepare(): () => void {
  for (const project of ['.', 'bench']) execFileSync('npx', ['tsc', '-p', project], { cwd: root, stdio: 'inherit' });
  for (const script of ['bundle.js', 'commit.js'])
    execFileSync(process.execPath, [path.join(root, 'scripts', script)], { stdio: 'inherit' });
  for (const command of ['setup', 'data']) execFileSync(process.execPath, [program, command], { stdio: 'inherit' });
  const temporary = mkdtempSync(path.join(tmpdir(), 'bn-train-tests-'));
  process.env['TMPDIR'] = temporary;
  return () => rmSync(temporary, { recursive: true });
}
