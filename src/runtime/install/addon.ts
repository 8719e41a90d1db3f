/** The addon: compiled from the stock package's own C++ sources against the libraries at hand, and proved to work. */
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLine, runCommand } from '../../common/command.js';
import { findCompiler } from '../../common/compiler.js';
import { type BnTrainError, cannot } from '../../common/errors.js';
import { toType } from '../../common/invocation.js';
import { OWN_SOURCES, stockPackage } from '../loadAddon.js';
import { LIBRARIES } from './pins.js';

const require = createRequire(import.meta.url);

interface Compilation {
  /** Holds the libraries and `include`. */
  libraries: string;
  /** Where the addon will look for the libraries when it is loaded: a path, or one relative to $ORIGIN. */
  rpath: string;
  output: string;
  signal?: AbortSignal | undefined;
}

/** Compiles the addon: one call, about 6 s. N-API makes the same file serve every Node. Returns the compiler's version. */
export async function compileAddon(compilation: Compilation): Promise<string> {
  const { output, signal } = compilation;
  const compiler = await findCompiler(signal);
  if (!compiler) throw cannotBuild('a C++ compiler', 'none on the PATH', INSTALL);
  // The compiler's temporary files go the way of the folder, also after a kill.
  const env = { TMPDIR: path.dirname(output) };
  const outcome = await runCommand(compiler.command, [...compiler.args, ...argumentsFor(compilation)], { env, signal });
  if (outcome?.code === 0) return compiler.version;
  const said = outcome?.stderr ?? '';
  if (said.includes('No space left')) throw cannotBuild('free disk', 'no space left on the device', 'free some space');
  const why = said.split('\n').find((line) => line.includes('error')) ?? lastLine(said);
  throw cannotBuild(`${[compiler.command, ...compiler.args].join(' ')} to compile it`, why, INSTALL);
}

const INSTALL = `apt-get install g++, then: ${toType('setup')}`;

function cannotBuild(expected: string, got: string, hint: string): BnTrainError {
  return cannot('build the TensorFlow addon', { expected, got, hint });
}

function argumentsFor({ libraries, rpath, output }: Compilation): string[] {
  const stock = stockPackage().folder;
  const { include_dir: nodeApi } = require('node-api-headers') as { include_dir: string };
  // Its other source is included by attributeNames.cc.
  const binding = path.join(stock, 'binding', 'tfjs_binding.cc');
  const own = OWN_SOURCES.filter((name) => name.endsWith('.cc'));
  const includes = [nodeApi, path.join(libraries, 'include'), stock].map((folder) => `-I${folder}`);
  const link = [`-L${libraries}`, ...LIBRARIES.map((name) => `-l:${name}`)];
  // -Wl would split the folder's name at its commas.
  const search = ['-Xlinker', '-rpath', '-Xlinker', rpath];
  const first = ['-Xlinker', '-z', '-Xlinker', 'initfirst'];
  const mode = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8'];
  // The stock sources free texts as one character, and allocators such as jemalloc, preloaded, believe the size that they are told.
  const freeing = '-fno-sized-deallocation';
  // As TensorFlow itself was compiled; its headers would have it follow the instruction set.
  const alignment = '-DEIGEN_MAX_ALIGN_BYTES=64';
  const said = ['TF_LoadSessionFromSavedModel', 'TF_SessionRun', 'TFE_NewContext', 'TFE_Execute', 'TF_NewGraph'];
  const quiet = said.map((name) => `-D${name}=quiet_${name}`);
  const copying = '-DTF_NewTensor=copying_TF_NewTensor';
  const entry = '-Dnapi_register_module_v1=stock_napi_register_module_v1';
  return [
    ...mode,
    freeing,
    alignment,
    ...quiet,
    copying,
    entry,
    ...includes,
    binding,
    ...own,
    '-o',
    output,
    ...link,
    ...search,
    ...first,
  ];
}

/** Loads the addon in a process of its own and runs one op. Returns TensorFlow's version; throws if it does not work. */
export async function proveAddon(addon: string, signal?: AbortSignal): Promise<string> {
  const script = fileURLToPath(new URL('../../../dist/runtime/install/prove.js', import.meta.url));
  const outcome = await runCommand(process.execPath, [script, addon], { signal });
  const version = /^TensorFlow (\S+)$/m.exec(outcome?.stdout ?? '')?.[1];
  if (outcome?.code === 0 && version !== undefined) return version;
  const said = outcome?.stderr ?? '';
  const why = said.split('\n').find((line) => line.startsWith('Error:')) ?? lastLine(said);
  throw cannot('use the TensorFlow addon', {
    expected: 'it to load and add two numbers',
    got: outcome && outcome.code > 128 ? `a crash (${why || 'no word'}; TensorFlow needs a CPU with AVX)` : why,
    hint: `${toType('doctor')} shows what this machine has; --backend wasm works everywhere`,
  });
}
