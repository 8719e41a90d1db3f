/** Runs the bundled core suite on one backend of the built package, and writes what became of each spec. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../dist/index.js';

const [backend, bundle, report] = process.argv.slice(2);
await openBackend(backend, { quiet: true });

// Describes and its like become globals, as the suite expects.
const environment = createRequire(import.meta.url)('jasmine-core')
  .boot()
  .getEnv();
environment.configure({ random: false });
const { setTestEnvs, loadSpecs } = await import(pathToFileURL(bundle));
const backendName = tf.getBackend();
setTestEnvs([{ name: `test-${backendName}`, backendName, flags: {}, isDataSync: true }]);
await loadSpecs();

const specs = [];
environment.clearReporters();
environment.addReporter({
  specDone: ({ fullName, status, failedExpectations }) =>
    specs.push({ name: fullName, status, said: failedExpectations.map(({ message }) => message).join('\n') }),
  suiteDone: ({ fullName, failedExpectations }) =>
    failedExpectations.forEach(({ message }) => specs.push({ name: fullName, status: 'failed', said: message })),
});
await environment.execute();
writeFileSync(report, JSON.stringify(specs));
// Some specs leave timers behind.
process.exit(0);
