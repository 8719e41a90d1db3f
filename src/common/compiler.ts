/** The machine's C++ compiler, which makes the addon and the kernels of fused steps. */
import { runCommand } from './command.js';

export interface Compiler {
  command: string;
  /** The words of $CXX after the first, as in "ccache g++". */
  args: string[];
  version: string;
}

/** In ms; what answers later is no compiler to wait for. */
const PATIENCE = 10_000;

/** The first C++ compiler there is: $CXX, c++, g++, clang++. Undefined where there is none. */
export async function findCompiler(signal?: AbortSignal): Promise<Compiler | undefined> {
  for (const words of [process.env['CXX'] ?? '', 'c++', 'g++', 'clang++']) {
    const [command, ...args] = words.split(/\s+/).filter(Boolean);
    if (command === undefined) continue;
    const outcome = await runCommand(command, [...args, '--version'], { signal, timeout: PATIENCE });
    if (outcome?.code === 0) return { command, args, version: outcome.stdout.split('\n')[0] ?? '' };
  }
  return undefined;
}
