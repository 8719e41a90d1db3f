/**
 * Makes src/report/live one minified file with ECharts in it, in place of what the compiler left: `node scripts/bundle.js`.
 * Users install no ECharts, and a page that is one file carries it. Where nothing changed since, nothing is done.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const source = path.join(root, 'src/report/live');
const target = path.join(root, 'dist/report/live/index.js');
const read = (file) => readFileSync(file, 'utf8').trim();
const fromEcharts = createRequire(path.join(root, 'node_modules/echarts/package.json'));
const inPackage = (file) => fromEcharts.resolve(file);
const versionOf = (name) => JSON.parse(read(inPackage(`${name}/package.json`))).version;

/** What the licences of its parts ask to be kept with them. */
function notice() {
  return [
    '/*!',
    read(inPackage('echarts/NOTICE')),
    `Version ${versionOf('echarts')}, under the Apache License 2.0: http://www.apache.org/licenses/LICENSE-2.0\n`,
    `With parts of d3.js:\n${read(inPackage('echarts/licenses/LICENSE-d3'))}\n`,
    `With ZRender ${versionOf('zrender')}:\n${read(inPackage('zrender/LICENSE'))}`,
    '*/',
  ].join('\n');
}

async function bundled() {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({ input: path.join(source, 'index.ts'), platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false });
  await bundle.close();
  return output[0].code;
}

const names = readdirSync(source).sort();
const hash = createHash('sha256').update(`${versionOf('echarts')} ${versionOf('rolldown')}`);
for (const file of [import.meta.filename, ...names.map((name) => path.join(source, name))]) hash.update(read(file));
const first = `// ${hash.digest('hex')}`;
if (!read(target).startsWith(first)) writeFileSync(target, `${first}\n${notice()}\n${await bundled()}`);
