/** TensorFlow.js's own tests, made into one script of the published package's modules. */
import { rolldown } from 'rolldown';

const ENTRY = 'entry';
const CORE = '@tensorflow/tfjs-core/dist';

/** Its export `loadSpecs` defines the specs, for the environments that `setTestEnvs` was given before. */
export async function bundleCoreSuite(folder: string): Promise<string> {
  const entry = `
    import '${CORE}/public/chained_ops/register_all_chained_ops.js';
    import '${CORE}/register_all_gradients.js';
    export { setTestEnvs } from '${CORE}/jasmine_util.js';
    export const loadSpecs = () => import('${CORE}/tests.js');`;
  const bundler = await rolldown({
    input: ENTRY,
    platform: 'node',
    // The package says that its modules may be left out where nothing of theirs is used; a spec exports nothing.
    treeshake: false,
    plugins: [
      { name: ENTRY, resolveId: (id) => (id === ENTRY ? id : null), load: (id) => (id === ENTRY ? entry : null) },
    ],
    // Jasmine, which the suite brings along, calls eval.
    onLog: () => undefined,
  });
  const { output } = await bundler.write({ dir: folder, format: 'esm', entryFileNames: 'suite.mjs' });
  await bundler.close();
  return output[0].fileName;
}
