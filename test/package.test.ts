/** The tarball that is published: whole, small, and with the native package in it as its authors published it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ALL } from './support/amount.js';
import { root } from './support/program.js';

type Manifest = Record<string, unknown> & {
  dependencies: Record<string, string>;
  exports: Record<string, string | { types: string; default: string }>;
};

const NATIVE = 'node_modules/@tensorflow/tfjs-node-gpu';
const work = mkdtempSync(path.join(tmpdir(), 'bn-train-package-test-'));
afterAll(() => rm(work, { recursive: true }));
const unpacked = path.join(work, 'package');
const manifestIn = (folder: string) => JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(path.join(folder, name)).isFile(),
  );

let tarball: string;
beforeAll(() => {
  const said = execFileSync(process.execPath, [path.join(root, 'scripts/package.js'), work], { encoding: 'utf8' });
  tarball = said.trim();
  execFileSync('tar', ['-xzf', tarball, '-C', work]);
});

it('takes at most 3 MB and is named by its version', () => {
  const { name, version } = manifestIn(root);
  expect(tarball).toBe(path.join(work, `${String(name)}-${String(version)}.tgz`));
  expect(statSync(tarball).size).toBeLessThanOrEqual(3e6);
});

it('has the native package as published, but for its manifest', () => {
  const [stock, bundled] = [path.join(root, NATIVE), path.join(unpacked, NATIVE)];
  expect(filesIn(bundled).sort()).toEqual(filesIn(stock).sort());
  const changed = filesIn(stock).filter(
    (name) => !readFileSync(path.join(stock, name)).equals(readFileSync(path.join(bundled, name))),
  );
  expect(changed).toEqual(['package.json']);
  const { '//': note, ...manifest } = manifestIn(bundled);
  const { scripts: _, dependencies: _dependencies, devDependencies: _dev, ...published } = manifestIn(stock);
  expect(manifest).toEqual({ ...published, gypfile: false });
  expect(note).toMatch(/^As bundled with bn-train: .* nothing else is changed\.$/);
});

it('asks for what the native package loads, in the versions that are tested', () => {
  const { dependencies, bundleDependencies, ...rest } = manifestIn(unpacked);
  const installed = (name: string) => manifestIn(path.join(root, 'node_modules', name))['version'];
  const moved = ['@mapbox/node-pre-gyp', 'google-protobuf', 'progress'];
  expect(Object.keys(dependencies).sort()).toEqual([...Object.keys(manifestIn(root).dependencies), ...moved].sort());
  for (const [name, version] of Object.entries(dependencies)) expect(version, name).toBe(installed(name));
  expect(bundleDependencies).toEqual(['@tensorflow/tfjs-node-gpu']);
  for (const name of ['private', 'scripts', 'devDependencies']) expect(rest).not.toHaveProperty(name);
});

it('has the program, every export with its types, what README.md links to, and no state of a build', () => {
  const targets = Object.values(manifestIn(unpacked).exports).flatMap((to) =>
    typeof to === 'string' ? [to] : [to.types, to.default],
  );
  const linked = [...readFileSync(path.join(unpacked, 'README.md'), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)];
  expect(linked.length).toBeGreaterThan(0);
  const wanted = ['bin/bn-train.js', 'LICENSE', ...targets, ...linked.map(([, to = '']) => to)];
  expect(wanted.filter((name) => statSync(path.join(unpacked, name), { throwIfNoEntry: false }) === undefined)).toEqual(
    [],
  );
  const others = filesIn(path.join(unpacked, 'dist')).filter((name) => !/\.(js|d\.ts)$/.test(name));
  expect(others.filter((name) => name !== 'commit.json')).toEqual([]);
});

it('has every source that is compiled where it is installed', () => {
  const sources = [
    ...[
      'graph/fuse/conv.h',
      'graph/fuse/loops.h',
      'graph/fuse/math.h',
      'graph/fuse/region.h',
      'runtime/environment.cc',
      'runtime/ownedTensor.cc',
      'runtime/region.cc',
      'runtime/settings.cc',
      'runtime/variables.h',
    ].map((name) => `src/${name}`),
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => `${NATIVE}/binding/${name}`),
  ];
  for (const name of sources)
    expect(readFileSync(path.join(unpacked, name))).toEqual(readFileSync(path.join(root, name)));
});

it('has a manifest that publint finds nothing wrong with', async () => {
  const { messages, pkg } = await publint({ pkgDir: unpacked, pack: false, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
});

it.runIf(ALL)('has types wherever TypeScript looks for them', async () => {
  const { checkPackage, createPackageFromTarballData } = await import('@arethetypeswrong/core');
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))));
  if (!analysis.types) throw new Error('no types in the tarball');
  expect(Object.keys(analysis.entrypoints)).toEqual(Object.keys(manifestIn(unpacked).exports));
  // ES modules alone, which Node loads by `require`, too, since 20.19.
  expect(analysis.problems.filter(({ kind }) => kind !== 'CJSResolvesToESM')).toEqual([]);
});
