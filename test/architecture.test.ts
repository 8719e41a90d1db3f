import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './support/program.js';

/** Which rooms a room may import, besides itself and the common files; "node" and "tfjs" stand for what is outside. */
const RULES: Record<string, string[]> = {
  nn: ['tfjs'],
  data: ['node'],
  runtime: ['node', 'tfjs'],
  graph: ['node', 'tfjs'],
  train: ['tfjs', 'nn', 'data', 'graph'],
  bench: ['node', 'tfjs', 'nn', 'data', 'train'],
  run: ['node', 'tfjs', 'nn', 'train'],
  report: ['node', 'train', 'run'],
  verify: ['tfjs', 'nn', 'graph', 'train'],
  cli: ['node', 'tfjs', 'nn', 'data', 'runtime', 'graph', 'train', 'bench', 'run', 'report', 'verify'],
};
/** Any room may import these; those that need Node only a room that may. */
const COMMON = ['errors', 'format', 'progress'];
const COMMON_NODE = ['files', 'lock', 'read'];

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
    const allowed = new Set([
      room,
      ...(RULES[room] ?? []),
      ...COMMON,
      ...(RULES[room]?.includes('node') ? COMMON_NODE : []),
    ]);
    const packages = { data: ['pure-rand/'], report: ['cli-progress'], cli: ['commander'] }[room] ?? [];
    for (const specifier of importsOf(file)) {
      if (packages.some((name) => specifier.startsWith(name))) continue;
      const to = target(file, specifier);
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
    expect(loading).toEqual(['src/runtime/native.ts']);
  });

  it('each file opens with one sentence on its job', () => {
    for (const file of sources)
      expect(readFileSync(path.join(root, file), 'utf8'), file).toMatch(/^\/\*\* [^\n]+[.:;,]? ?/);
  });
});
