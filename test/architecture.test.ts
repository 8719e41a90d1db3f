/** The rooms of src stand as their table says, and each rule of it is broken once to see it caught. */
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './support/program.js';
import { breaches, FLOORS } from './support/rooms.js';

it('src keeps every rule', () => {
  const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`)
    .sort();
  expect(files.length).toBeGreaterThan(100);
  expect(breaches(new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')])))).toEqual([]);
});

describe('a made-up source that breaks one rule is caught:', () => {
  const OPENING = '/** What this file is for. */';
  const opened = (...imports: string[]) =>
    [OPENING, ...imports.map((from) => `import '${from}';`), '', 'export const one = 1;', ''].join('\n');
  /** A file in every room, in order. */
  const house = new Map([
    ...FLOORS.flatMap((rooms) => Object.keys(rooms))
      .filter((room) => room !== 'index')
      .map((room) => [`src/${room}/${room}One.ts`, opened()] as const),
    ['src/index.ts', opened('./nn/nnOne.js')],
    ['src/graph/index.ts', opened('./graphOne.js', '../common/commonOne.js')],
    ['src/common/nodeOne.ts', opened('node:fs')],
    ['src/common/files.ts', opened('./nodeOne.js')],
  ]);
  const withFiles = (...files: [string, string][]) => breaches(new Map([...house, ...files]));

  it('none, where none is broken', () => expect(withFiles()).toEqual([]));

  it('a planned room may be empty, another may not', () => {
    const without = (room: string) =>
      breaches(new Map([...house].filter(([file]) => !file.startsWith(`src/${room}/`))));
    expect(without('study')).toEqual([]);
    expect(without('bench')).toEqual(['bench is in the table of rooms and not in src']);
  });

  it.each<[string, [string, string][], string]>([
    [
      'an arrow upwards',
      [['src/train/up.ts', opened('../run/runOne.js')]],
      'src/train/up.ts may not import src/run/runOne.ts',
    ],
    [
      'an arrow upwards, of a type',
      [['src/nn/up.ts', `${OPENING}\nimport type { A } from '../train/trainOne.js';\n`]],
      'src/nn/up.ts may not import src/train/trainOne.ts',
    ],
    [
      'an arrow upwards, taken when it is needed',
      [['src/run/up.ts', `${OPENING}\n\nexport const later = () => import('../cli/cliOne.js');\n`]],
      'src/run/up.ts may not import src/cli/cliOne.ts',
    ],
    [
      'an arrow to the side',
      [['src/nn/aside.ts', opened('../data/dataOne.js')]],
      'src/nn/aside.ts may not import src/data/dataOne.ts',
    ],
    [
      'an arrow from the common room',
      [['src/common/up.ts', opened('../index.js')]],
      'src/common/up.ts may not import src/index.ts',
    ],
    ['a package', [['src/nn/far.ts', opened('commander')]], 'src/nn/far.ts may not import commander'],
    ['Node', [['src/nn/node.ts', opened('node:fs')]], 'src/nn/node.ts may not import node'],
    [
      'Node behind a file of the common room',
      [['src/nn/node.ts', opened('../common/files.js')]],
      'src/nn/node.ts may not import src/common/files.ts',
    ],
    ['a room that is not in the table', [['src/attic/box.ts', opened()]], 'attic is not in the table of rooms'],
    ["a loose file at src's root", [['src/loose.ts', opened()]], 'loose is not in the table of rooms'],
    [
      'a basename that stands twice',
      [['src/cli/commonOne.ts', opened()]],
      'commonOne.ts stands twice: src/common/commonOne.ts, src/cli/commonOne.ts',
    ],
    [
      'a second file that names the addon',
      [['src/runtime/second.ts', opened('@tensorflow/tfjs-node-gpu')]],
      "src/runtime/second.ts names the addon's package",
    ],
    [
      'a cycle of files',
      [
        ['src/nn/a.ts', opened('./b.js')],
        ['src/nn/b.ts', opened('./c.js')],
        ['src/nn/c.ts', opened('./b.js')],
      ],
      'a cycle: src/nn/b.ts → src/nn/c.ts → src/nn/b.ts',
    ],
    [
      'a file that imports itself',
      [['src/nn/self.ts', opened('./self.js')]],
      'a cycle: src/nn/self.ts → src/nn/self.ts',
    ],
  ])('%s', (_, files, breach) => expect(withFiles(...files)).toEqual([breach]));

  it('a table with an arrow that does not lead downwards', () => {
    const floors = FLOORS.map((floor) => ('nn' in floor ? { ...floor, nn: { rooms: ['data', 'run'] } } : floor));
    expect(breaches(house, floors)).toEqual(['nn does not stand above data', 'nn does not stand above run']);
  });

  it('a cycle of rooms, one of whose arrows must go upwards', () => {
    const files: [string, string][] = [
      ['src/run/a.ts', opened('../train/trainOne.js')],
      ['src/train/b.ts', opened('../run/runOne.js')],
    ];
    expect(withFiles(...files)).toEqual(['src/train/b.ts may not import src/run/runOne.ts']);
  });

  it.each([
    ['no comment', 'import "node:os";\n'],
    ['a mere comment', '// What this file is for.\n\nconst a = 1;\n'],
    ['a comment of another kind', '/* What this file is for. */\n\nconst a = 1;\n'],
    ['one after the imports', `import "node:os";\n${OPENING}\n\nconst a = 1;\n`],
    ['no full stop', '/** What this file is for */\n\nconst a = 1;\n'],
    ['no sentence', '/** Constants. */\n\nconst a = 1;\n'],
    ['a small letter', '/** what this file is for. */\n\nconst a = 1;\n'],
    ['two sentences', '/** What this file is for. And what it is not. */\n\nconst a = 1;\n'],
    ['two sentences on two lines', '/**\n * What this file is for.\n * what it is not.\n */\n\nconst a = 1;\n'],
    ["a function's comment", `${OPENING}\nexport function a(): void {}\n`],
    ["a constant's comment", `${OPENING}\nconst a = 1;\n`],
    ['a tag', '/** What this file is for @see another. */\n\nconst a = 1;\n'],
  ])('an opening with %s', (_, text) =>
    expect(withFiles(['src/cli/opening.ts', text])).toEqual([
      'src/cli/opening.ts does not open with one sentence on its job',
    ]),
  );

  it.each([
    [
      'over two lines',
      '/**\n * What this file is for, and what (LeCun et al. 1998)\n * it is not.\n */\nimport "node:os";\n',
    ],
    ['before an export of what others have', `${OPENING}\nexport { nnOne } from '../nn/nnOne.js';\n`],
    ['before a blank line', `${OPENING}\n\nconst a = 1;\n`],
  ])('but an opening %s is one', (_, text) => expect(withFiles(['src/cli/opening.ts', text])).toEqual([]));
});
