import { describe, expect, it } from 'vitest';
import { gammaLines } from '../../src/report/gamma.js';

const first = {
  ...{ layer: 1, layers: 4, after: 'convolution 5×5, 1→6' },
  ...{ gamma: [1, 2, 3, -4.25, 5, 6], beta: [0, 0, 0, 0, 0, 0.00004] },
};
const wide = { layer: 3, layers: 4, after: 'dense 256→120', gamma: Array.from({ length: 120 }, (_, i) => i / 100) };

describe('the parameters of a layer', () => {
  it('stand under its name, and in the recipe’s first one beside the reference run’s', () => {
    expect(gammaLines([first], { columns: undefined, isRecipe: true })).toEqual([
      'layer 1 of 4, after convolution 5×5, 1→6: 6 channels',
      'gamma       1.0000  2.0000  3.0000 -4.2500  5.0000  6.0000',
      'reference   0.4863  2.8573  2.3190  4.3188  3.8588  1.7942',
      'beta        0.0000  0.0000  0.0000  0.0000  0.0000  0.0000',
      'reference  -0.0124  1.4839 -1.7753  2.3564 -3.8801 -2.1589',
      'reference: the 10 epochs of the recipe’s authors, whose channels stand in another order',
    ]);
    const others = [
      gammaLines([first], { columns: undefined, isRecipe: false }),
      gammaLines([{ ...first, layer: 2 }], { columns: undefined, isRecipe: true }),
      gammaLines([{ ...first, gamma: [1] }], { columns: undefined, isRecipe: true }),
    ];
    expect(others.join()).not.toContain('reference');
  });

  it('are folded in a narrow terminal, below each other', () => {
    const { layer, layers, after, gamma } = first;
    expect(gammaLines([{ layer, layers, after, gamma }], { columns: 40, isRecipe: false }).slice(1)).toEqual([
      'gamma   1.0000  2.0000  3.0000 -4.2500',
      '        5.0000  6.0000',
    ]);
  });

  it('of a wide layer are a histogram in a terminal, and all in a line elsewhere', () => {
    expect(gammaLines([wide], { columns: 60, isRecipe: true })).toEqual([
      'layer 3 of 4, after dense 256→120: 120 channels',
      `gamma 0.000 [${'█'.repeat(12)}] 1.190  median 0.600`,
      'all 120 of each: --json',
    ]);
    const [, row = ''] = gammaLines([wide], { columns: undefined, isRecipe: true });
    expect(row.split(/ +/)).toHaveLength(121);
  });

  it('of which one stands apart, or that are all the same, have a histogram too', () => {
    const shape = (gamma: number[]) => gammaLines([{ ...wide, gamma }], { columns: 60, isRecipe: true })[1];
    expect(shape([...Array<number>(99).fill(-1), 1])).toBe('gamma -1.000 [█          ▁] 1.000  median -1.000');
    expect(shape(Array<number>(40).fill(2))).toBe('gamma 2.000 [      █     ] 2.000  median 2.000');
    expect(shape([...Array<number>(39).fill(2), NaN])).toMatch(/^gamma {2}2\.0000 2\.0000/);
  });
});
