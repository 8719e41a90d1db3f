/**
 * Makes the tarball that is published, from a built checkout: `node scripts/package.js [FOLDER]`, which prints its path.
 *
 * It carries TensorFlow.js's native package in it, every file as published but for the manifest: npm would run its install
 * script, which fetches a TensorFlow too old to use, or node-gyp for its binding.gyp. What its code loads becomes a
 * dependency of this package; what only its install script and its tests load is left out.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

const NATIVE = '@tensorflow/tfjs-node-gpu';
const root = path.resolve(import.meta.dirname, '..');
const native = path.join(root, 'node_modules', NATIVE);
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);

/** The package's own code, without its tests. */
function nativeCode() {
  const dist = path.join(native, 'dist');
  return readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js') && !name.endsWith('_test.js') && !name.endsWith('run_tests.js'))
    .map((name) => readFileSync(path.join(dist, name), 'utf8'));
}

/** What the package's code loads, in the versions that are installed and tested here. */
function nativeDependencies(names) {
  const code = nativeCode();
  const require = createRequire(path.join(native, 'package.json'));
  const loaded = names.filter((name) => code.some((text) => text.includes(`'${name}`) || text.includes(`"${name}`)));
  return Object.fromEntries(loaded.map((name) => [name, require(`${name}/package.json`).version]));
}

/** For where it is installed: nothing there may run or build. "private" keeps a checkout, which npm cannot install, from being published. */
const installed = (manifest) => ({
  ...manifest,
  private: undefined,
  scripts: undefined,
  devDependencies: undefined,
});

const manifest = readJson(path.join(native, 'package.json'));
const own = readJson(path.join(root, 'package.json'));

const stage = mkdtempSync(path.join(tmpdir(), 'bn-train-package-'));
try {
  for (const name of [...own.files.filter((name) => !name.startsWith('!')), 'README.md', 'LICENSE'])
    cpSync(path.join(root, name), path.join(stage, name), { recursive: true });
  writeJson(path.join(stage, 'package.json'), {
    ...installed(own),
    dependencies: { ...nativeDependencies(Object.keys(manifest.dependencies)), ...own.dependencies },
    bundleDependencies: [NATIVE],
  });
  const bundled = path.join(stage, 'node_modules', NATIVE);
  cpSync(native, bundled, { recursive: true });
  writeJson(path.join(bundled, 'package.json'), {
    '//': 'As bundled with bn-train: scripts and dependencies taken out, gypfile set to false; nothing else is changed.',
    ...installed(manifest),
    dependencies: undefined,
    gypfile: false,
  });
  const folder = path.resolve(process.argv[2] ?? root);
  const said = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: stage,
    encoding: 'utf8',
  });
  console.log(path.join(folder, said.trim()));
} finally {
  rmSync(stage, { recursive: true });
}
