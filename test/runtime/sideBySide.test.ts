/** Threads that use TensorFlow at the same time: memory that all of them have in the addon. */
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { firstOf } from '../support/amount.js';
import { start } from '../support/program.js';

const TASKS = [
  ['sets variables that others look for', 'environment', '[ 0, 0 ] 1\n'],
  ['names attributes that no op had before', 'attributes', '[ 0, 0 ] undefined\n'],
] as const;

// Without what each is to show, the first ends in a crash every time, the second in one of three.
test.each(firstOf(TASKS, 1))('each of two threads %s', async (_, task, said) => {
  const script = path.join(import.meta.dirname, 'sideBySide.js');
  const { code, stdout, stderr } = await start(process.execPath, [script, task]).result;
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: said, stderr: '' });
});
