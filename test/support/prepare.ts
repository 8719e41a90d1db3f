/** Before any test: the program is built, and the runtime and the data set are on the machine. */
import { execFileSync } from 'node:child_process';
import { program, root } from './program.js';

export default function prepare(): void {
  for (const project of ['.', 'bench']) execFileSync('npx', ['tsc', '-p', project], { cwd: root, stdio: 'inherit' });
  for (const command of ['setup', 'data']) execFileSync(process.execPath, [program, command], { stdio: 'inherit' });
}
