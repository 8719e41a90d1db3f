/** `bn-train verify`: checks the layer on this machine. */
import { Command } from 'commander';
import { addBackendOptions, type VerifyFlags } from '../options.js';

export function verifyCommand(): Command {
  const command = new Command('verify').description(
    'check the batch normalization layer on this machine: against float64, the built-in layer, published values',
  );
  return addBackendOptions(command)
    .option('--json', 'print JSON')
    .action(async (flags: VerifyFlags) => {
      const { runVerification } = await import('../verification.js');
      await runVerification(flags);
    });
}
