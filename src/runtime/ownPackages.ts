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

/** The file from which an own package is found; undefined for any other. */
function finderOf(specifier: string): string | undefined {
  if (OWN.test(specifier)) return HERE;
  return PARTS.test(specifier) ? require.resolve('@tensorflow/tfjs') : undefined;
}

/** What is loaded for a specifier of an own package; undefined for any other, and where an own file asks. */
function ownFile(specifier: string, parent: string | undefined): string | undefined {
  const finder = finderOf(specifier);
  if (finder === undefined || finder === parent) return undefined;
  return nodeModule.createRequire(finder).resolve(specifier.replace(CPU_ONLY, '$1-gpu'));
}

interface Resolved {
  url: string;
  shortCircuit?: boolean;
}

interface Context {
  parentURL?: string | undefined;
}

/** A hook for Node's resolution of imports. */
export function resolve<Next>(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Next,
): Next | Resolved {
  const file = ownFile(
    specifier,
    context.parentURL?.startsWith('file:') ? fileURLToPath(context.parentURL) : undefined,
  );
  return file === undefined ? next(specifier, context) : { url: pathToFileURL(file).href, shortCircuit: true };
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
  loader._resolveFilename = (request, parent, ...rest) =>
    ownFile(request, parent?.filename) ?? stock(request, parent, ...rest);
}
