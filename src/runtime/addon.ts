/** The addon: compiled from the stock package's own C++ sources against the libraries at hand, and proved to work. */
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cannot } from '../errors.js';
import { LIBRARIES } from './builds.js';
import { lastLine, runCommand } from './command.js';
import { stockPackage } from './native.js';

const require = createRequire(import.meta.url);

/** The first C++ compiler there is: $CXX, c++, g++, clang++. Undefined where there is none. */
export async function findCompiler(): Promise<{ command: string; version: string } | undefined> {
  for (const command of [process.env['CXX'], 'c++', 'g++', 'clang++']) {
    if (command === undefined || command === '') continue;
    const outcome = await runCommand(command, ['--version']);
    if (outcome?.code === 0) return { command, version: outcome.stdout.split('\n')[0] ?? '' };
  }
  return undefined;
}

export interface Compilation {
  /** Holds the libraries and `include`. */
  libraries: string;
  /** Where the addon will look for the libraries when it is loaded: a path, or one relative to $ORIGIN. */
  rpath: string;
  output: string;
  signal?: AbortSignal | undefined;
}

/** Compiles the addon: one call, about 6 s. N-API makes the same file serve every Node. Returns the compiler's version. */
export async function compileAddon({ libraries, rpath, output, signal }: Compilation): Promise<string> {
  const compiler = await findCompiler();
  const fail = (expected: string, got: string, hint: string) => cannot('build the TensorFlow addon', { expected, got, hint });
  if (!compiler) throw fail('a C++ compiler', 'none on the PATH', 'apt-get install g++, then: bn-train setup');
  const stock = stockPackage().folder;
  const { include_dir: nodeApi } = require('node-api-headers') as { include_dir: string };
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => path.join(stock, 'binding', name));
  const includes = [nodeApi, path.join(libraries, 'include'), stock].map((folder) => `-I${folder}`);
  const link = [`-L${libraries}`, ...LIBRARIES.map((name) => `-l:${name}`), `-Wl,-rpath,${rpath}`];
  const args = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', ...includes, ...sources, '-o', output, ...link];
  const outcome = await runCommand(compiler.command, args, { signal });
  if (outcome?.code === 0) return compiler.version;
  const said = outcome?.stderr ?? '';
  const full = /No space left/.test(said);
  throw fail(
    full ? 'free disk' : `${compiler.command} to compile it`,
    full ? 'no space left on the device' : (said.split('\n').find((line) => line.includes('error')) ?? lastLine(said)),
    full ? 'free some space' : 'apt-get install g++, then: bn-train setup',
  );
}

/** Loads the addon in a process of its own and runs one op. Returns TensorFlow's version; throws if it does not work. */
export async function proveAddon(addon: string, signal?: AbortSignal): Promise<string> {
  const script = fileURLToPath(new URL('./prove.js', import.meta.url));
  const outcome = await runCommand(process.execPath, [script, addon], { signal });
  const version = /^TensorFlow (\S+)$/m.exec(outcome?.stdout ?? '')?.[1];
  if (outcome?.code === 0 && version !== undefined) return version;
  const said = outcome?.stderr ?? '';
  const why = said.split('\n').find((line) => line.startsWith('Error:')) ?? lastLine(said);
  throw cannot('use the TensorFlow addon', {
    expected: 'it to load and add two numbers',
    got: why || 'a crash without a word (TensorFlow needs a CPU with AVX)',
    hint: 'bn-train doctor shows what this machine has; --backend wasm works everywhere',
  });
}
