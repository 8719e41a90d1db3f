import { expect, it } from 'vitest';
import { runCommand } from '../../src/common/command.js';

it('keeps the end of what a command says, and ends one that never stops', async () => {
  const talks = await runCommand('sh', ['-c', 'yes 12345678 | head -n 50000; echo end']);
  expect(talks).toMatchObject({ code: 0, late: false });
  expect(talks?.stdout).toHaveLength(100_000);
  expect(talks?.stdout.endsWith('12345678\nend\n')).toBe(true);
  expect(await runCommand('yes', [], { timeout: 300 })).toMatchObject({ code: 137, late: true });
});

it('tells a program that there is not from one that fails', async () => {
  expect(await runCommand('no-such-program', [])).toBeUndefined();
  expect(await runCommand('sh', ['-c', 'echo why >&2; exit 3'])).toMatchObject({ code: 3, stderr: 'why\n' });
});
