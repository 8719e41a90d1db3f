import { describe, expect, it } from 'vitest';
import { option, quoted, startedAs, toType } from '../../src/common/invocation.js';
import { start } from '../support/program.js';

const clone = { own: '/clone/dist/common/invocation.js', env: {}, cwd: '/clone' };
const npmStart = { npm_lifecycle_event: 'start', npm_package_name: 'bn-train' };

describe('the words before a command are those that the program was started with', () => {
  it.each([
    ['a global command', { program: '/usr/local/bin/bn-train' }, 'bn-train'],
    ['a project’s', { program: '/app/node_modules/.bin/bn-train', cwd: '/app' }, 'npx bn-train'],
    ['npx elsewhere', { program: '/root/.npm/_npx/1/node_modules/.bin/bn-train' }, 'npx bn-train'],
    ['pnpm’s script', { program: '/app/node_modules/bn-train/bin/bn-train.js', cwd: '/app' }, 'npx bn-train'],
    ['pnpm’s global script', { program: '/pnpm/5/node_modules/bn-train/bin/bn-train.js' }, 'bn-train'],
    ['npm start', { program: '/clone/bin/bn-train.js', env: npmStart }, 'npm start --'],
    [
      'another package’s npm start',
      { program: '/app/node_modules/.bin/bn-train', env: { ...npmStart, npm_package_name: 'app' } },
      'npx bn-train',
    ],
    ['the file', { program: '/clone/bin/bn-train.js' }, 'bin/bn-train.js'],
    ['the file beside it', { program: '/clone/bin/bn-train.js', cwd: '/clone/bin' }, './bn-train.js'],
    ['the file from elsewhere', { program: '/clone/bin/bn-train.js', cwd: '/home' }, '/clone/bin/bn-train.js'],
    ['a file in a folder with a space', { program: '/my clone/bin/bn-train.js' }, "'/my clone/bin/bn-train.js'"],
    ['a clone’s library', { program: '/clone/bench/own.js' }, 'bn-train'],
    [
      'a dependency',
      { program: '/app/train.js', own: 'file:///app/node_modules/bn-train/dist/common/x.js' },
      'npx bn-train',
    ],
    ['code without a file', { program: '' }, 'bn-train'],
  ])('%s', (_, start, words) => {
    expect(startedAs({ ...clone, ...start })).toBe(words);
  });

  it('which a hint has', async () => {
    expect(toType('setup --cuda')).toBe('bn-train setup --cuda');
    const { stderr } = await start('bin/bn-train.js', ['evaluate', 'nowhere']).result;
    expect(stderr).toContain('or train one: bin/bn-train.js scratch\n');
    const npm = await start('bin/bn-train.js', ['evaluate', 'nowhere'], { env: npmStart }).result;
    expect(npm.stderr).toContain('or train one: npm start -- scratch\n');
  });
});

it.each([
  ['learningRate', '--lr'],
  ['stepsPerCall', '--steps-per-call'],
  ['seed', '--seed'],
])('an option is a flag on the command line alone: %s', (name, flag) => {
  expect(option(name, '/clone/bin/bn-train.js')).toBe(flag);
  expect(option(name, '/usr/bin/bn-train')).toBe(flag);
  expect(option(name, '/app/train.js')).toBe(name);
  expect(option(name)).toBe(name);
});

it.each(['plain', 'with a space', "it's"])('a quoted name is one word to a shell: %s', async (name) => {
  const { stdout } = await start('sh', ['-c', `printf %s ${quoted(name)}`]).result;
  expect(stdout).toBe(name);
});
