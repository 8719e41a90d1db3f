import { defineConfig } from 'vitest/config';

// The tests compute on the CPU, also where there is a GPU.
process.env['CUDA_VISIBLE_DEVICES'] = '-1';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/prepare.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    // Much of a test is waiting for a process of its own.
    maxWorkers: '100%',
  },
});
