/** TensorFlow.js's own core suite, on each backend as this package opens it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as vm from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstOf } from '../support/amount.js';
import { root, start } from '../support/program.js';
import { bundleCoreSuite } from './bundle.js';
import { KNOWN } from './known.js';

const BACKENDS = ['native', 'wasm', 'js'] as const;
/** Of tfjs-core 4.22, those that some environments leave out aside: fewer would mean that some were not found. */
const SPECS = 4225;

interface Spec {
  name: string;
  status: 'passed' | 'failed' | 'pending' | 'excluded';
  said: string;
}

let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'core-suite-'));
  bundle = path.join(folder, await bundleCoreSuite(folder));
});

afterAll(() => rm(folder, { recursive: true }));

async function specsOn(backend: string): Promise<Spec[]> {
  const report = path.join(folder, `${backend}.json`);
  const script = path.join(root, 'test/suites/runSpecs.js');
  const { code, signal, stderr } = await start(process.execPath, [script, backend, bundle, report]).result;
  expect({ code, signal }, stderr).toEqual({ code: 0, signal: null });
  const specs = JSON.parse(await readFile(report, 'utf8')) as Spec[];
  expect(specs.filter(({ status }) => status === 'passed' || status === 'failed').length).toBeGreaterThanOrEqual(SPECS);
  expect(specs.filter(({ status }) => status === 'pending').map(({ name }) => shortOf(name))).toEqual(PENDING);
  return specs;
}

/** Switched off in the suite itself. */
const PENDING = [
  'debug on A x B',
  'IS_BROWSER isBrowser: true',
  'IS_BROWSER isBrowser: false',
  'kernel_registry errors when registering the same kernel twice',
  'gradient registry warning when registering the same gradient twice',
];

const shortOf = (name: string) => name.replace(/ test-\w+ {}/, '');
const lineOf = ({ name, said }: Spec) => `${shortOf(name)}: ${said.replace(/\s+/g, ' ')}`;

/** The names that the native package's authors leave out when they run this suite, read from the package itself. */
async function ignoredByAuthors(): Promise<string[]> {
  const file = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/dist/run_tests.js');
  const [, list = ''] = /IGNORE_LIST = (\[.*?\n\]);/s.exec(await readFile(file, 'utf8')) ?? [];
  return vm.runInNewContext(list) as string[];
}

describe.each(firstOf(BACKENDS, 1))("TensorFlow.js's core suite on the %s backend", (backend) => {
  let specs: Spec[];
  let failed: Spec[];
  beforeAll(async () => {
    specs = await specsOn(backend);
    failed = specs.filter(({ status }) => status === 'failed');
  });

  it('fails nowhere else than is listed, each with its reason', () => {
    const unlisted = failed.map(lineOf).filter((line) => !KNOWN[backend].some(({ says }) => says.test(line)));
    expect(unlisted).toEqual([]);
  });

  it.each(KNOWN[backend])('still fails where $why: $specs specs', ({ says, specs: count, sometimes }) => {
    const found = failed.map(lineOf).filter((line) => says.test(line)).length;
    expect([count, ...(sometimes ? [0] : [])]).toContain(found);
  });

  it.runIf(backend === 'native')('fails nowhere that its own authors do not, and passes where they do', async () => {
    const ignored = await ignoredByAuthors();
    const isIgnored = ({ name }: Spec) => ignored.some((part) => name.includes(part));
    expect(failed.filter((spec) => !isIgnored(spec))).toEqual([]);
    expect(specs.filter((spec) => spec.status === 'passed' && isIgnored(spec)).length).toBeGreaterThanOrEqual(93);
  });
});
