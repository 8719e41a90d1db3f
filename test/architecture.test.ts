import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './support/program.js';

/** Which rooms a room may import, besides itself and the common one; "node" and "tfjs" stand for what is outside. */
const RULES: Record<string, string[]> = {
  common: ['node'],
  nn: ['tfjs'],
  data: ['node'],
  runtime: ['node', 'tfjs'],
  graph: ['node', 'tfjs'],
  train: ['tfjs', 'nn', 'data', 'graph'],
  bench: ['node', 'tfjs', 'nn', 'data', 'train'],
  run: ['node', 'tfjs', 'nn', 'train'],
  verify: ['tfjs', 'nn', 'graph', 'train'],
  report: ['node', 'train', 'run', 'bench', 'verify'],
  cli: ['node', 'tfjs', 'nn', 'data', 'runtime', 'graph', 'train', 'bench', 'run', 'report', 'verify'],
};
/** The files of the common room that rooms without Node may import. */
const WITHOUT_NODE = ['errors', 'format', 'listener'];
/** Libraries that one room alone may import. */
const PACKAGES: Record<string, string[]> = {
  common: ['valibot'],
  data: ['pure-rand/', 'valibot'],
  run: ['valibot'],
  runtime: ['valibot'],
  bench: ['valibot'],
  cli: ['commander'],
};

const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name}`)
  .sort();

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

/** "src/nn/lenet.ts" for a relative import; "tfjs" or "node" for one from outside. */
function target(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return path.join(path.dirname(file), specifier.replace(/\.js$/, '.ts'));
  return specifier.startsWith('@tensorflow/tfjs') ? 'tfjs' : 'node';
}

const roomOf = (file: string) => (file.split('/').length > 2 ? (file.split('/')[1] ?? '') : path.basename(file, '.ts'));

describe('the rooms', () => {
  it.each(sources.filter((file) => file.split('/').length > 2))('%s imports only what its room may', (file) => {
    const room = roomOf(file);
    const allowed = new Set([room, ...(RULES[room] ?? [])]);
    for (const specifier of importsOf(file)) {
      if (PACKAGES[room]?.some((name) => specifier.startsWith(name))) continue;
      const to = target(file, specifier);
      if (roomOf(to) === 'common' && (allowed.has('node') || WITHOUT_NODE.includes(path.basename(to, '.ts')))) continue;
      expect(allowed, `${file} imports ${specifier}`).toContain(to.startsWith('src/') ? roomOf(to) : to);
    }
  });

  it('have no import cycles', () => {
    const graph = new Map(
      sources.map((file) => [
        file,
        importsOf(file)
          .map((to) => target(file, to))
          .filter((to) => to.startsWith('src/')),
      ]),
    );
    const done = new Set<string>();
    const visit = (file: string, trail: string[]): void => {
      expect(trail, 'a cycle').not.toContain(file);
      if (done.has(file)) return;
      for (const to of graph.get(file) ?? []) visit(to, [...trail, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
  });

  it('load the addon in one file alone', () => {
    const loading = sources.filter((file) =>
      readFileSync(path.join(root, file), 'utf8').includes('@tensorflow/tfjs-node'),
    );
    expect(loading).toEqual(['src/runtime/loadAddon.ts']);
  });

  it('each file opens with one sentence on its job', () => {
    for (const file of sources)
      expect(readFileSync(path.join(root, file), 'utf8'), file).toMatch(/^\/\*\* [^\n]+[.:;,]? ?/);
  });
});
