import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { ALL } from './test/support/amount.js';

// The tests compute on the CPU, also where there is a GPU.
process.env['CUDA_VISIBLE_DEVICES'] = '-1';

/** Terminals, installs, kills, full disks, sanitizers and packing: whole minutes that are left to CI and `npm run test:all`. */
const LONG = [
  ...[
    'bench/bench',
    'bench/gpu',
    'bench/model',
    'bench/pack',
    'cli/compare',
    'cli/fit',
    'cli/fold',
    'cli/modes',
    'cli/predict',
    'cli/study',
    'cli/terminal',
    'common/lock',
    'data/otherData',
    'documentation',
  ],
  ...[
    'fuzz/download',
    'graph/fused',
    'graph/library',
    'graph/loop',
    'graph/sanitize',
    'graph/targets',
    'graph/versions',
  ],
  ...['report/browser', 'report/runPage', 'run/faults', 'run/fixtures', 'run/kill', 'run/longRun'],
  ...[
    'runtime/cudaInstall',
    'runtime/newestNode',
    'runtime/setup',
    'runtime/sources',
    'study/killStudy',
    'study/runTrial',
    'train/agreement',
    'verify/steps',
    'verify/verify',
  ],
];

/** A file takes minutes whatever its size; one that began last would leave the other cores with nothing to do. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      [...LONG, 'models/models'].some((name) => moduleId.endsWith(`/test/${name}.test.ts`));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ALL ? [] : LONG.map((name) => `test/${name}.test.ts`),
    globalSetup: ['test/support/prepare.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    // Much of a test is waiting for a process of its own.
    maxWorkers: '100%',
    sequence: { sequencer: LongFirst },
  },
});
