import { describe, expect, it } from 'vitest';
import { root, start } from './support/program.js';

describe("import … from 'bn-train'", () => {
  it('gives the public names, and trains as the README shows', async () => {
    const script = `
      import * as library from 'bn-train';
      const { lenet, loadFashionMnist, openBackend, train } = library;
      console.log(Object.keys(library).join(' '));
      console.log((await openBackend('auto')).name);
      const events = train({ model: lenet({ norm: 'scratch', seed: 1 }), data: await loadFashionMnist(), epochs: 1, seed: 1 });
      for await (const event of events) if (event.type === 'step') { console.log(event.loss > 0); break; }`;
    const { stdout, stderr, code } = await start(process.execPath, ['--input-type=module', '-e', script], { cwd: root })
      .result;
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      'BatchNorm BnTrainError batchNorm lenet loadFashionMnist openBackend populationStatistics train withStatistics',
      'native',
      'true',
    ]);
    expect(code).toBe(0);
  });
});
