/** Has a user's file get this package's own TensorFlow.js, whichever it imports: a model of another copy is none here. */
import * as nodeModule from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = fileURLToPath(import.meta.url);
const require = nodeModule.createRequire(HERE);

/** What this package asks for, and this one itself; the rest is TensorFlow.js's own. */
const OWN = /^(bn-train|@tensorflow\/tfjs(-node(-gpu)?|-backend-wasm)?)(?=\/|$)/;
const PARTS = /^@tensorflow\/tfjs-(core|layers|data|converter|backend-cpu|backend-webgl)(?=\/|$)/;
/** The native package comes for the CPU and for the GPU; the latter is here, and does for both. */
const CPU_ONLY = /^(@tensorflow\/tfjs-node)(?=\/|$)/;

const named = (specifier: string) => specifier.replace(CPU_ONLY, '$1-gpu');

/** The file from which an own package is found; undefined for any other. */
function finderOf(specifier: string): string | undefined {
  if (OWN.test(specifier)) return HERE;
  return PARTS.test(specifier) ? require.resolve('@tensorflow/tfjs') : undefined;
}

interface Context {
  parentURL?: string | undefined;
}

/** A hook for Node's resolution: own packages are looked for from here. */
export function resolve<Result>(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Result,
): Result {
  const finder = finderOf(specifier);
  if (finder === undefined) return next(specifier, context);
  return next(named(specifier), { ...context, parentURL: pathToFileURL(finder).href });
}

/** Node's own, from 22.15 on. */
type RegisterHooks = (hooks: { resolve: typeof resolve }) => void;
/** Node's own way to resolve what is required, which others replace, too. */
type ResolveFilename = (request: string, parent: { filename: string } | undefined, ...rest: unknown[]) => string;

/** From now on, for all that this process loads. */
export function sharePackages(): void {
  const { registerHooks } = nodeModule as { registerHooks?: RegisterHooks };
  if (registerHooks) return registerHooks({ resolve });
  nodeModule.register(import.meta.url);
  const loader = nodeModule.Module as unknown as { _resolveFilename: ResolveFilename };
  const stock = loader._resolveFilename;
  loader._resolveFilename = (request, parent, ...rest) => {
    const finder = finderOf(request);
    if (finder === undefined || parent?.filename === finder) return stock(request, parent, ...rest);
    return nodeModule.createRequire(finder).resolve(named(request));
  };
}
