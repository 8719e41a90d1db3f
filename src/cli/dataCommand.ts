/** `bn-train data`: fetches and checks the data set now, rather than on first need. */
import { Command } from 'commander';
import { addDataOptions, type DataOptions, type SessionFlags } from './options.js';
import { withSession } from './session.js';

type DataFlags = SessionFlags & DataOptions;

export function dataCommand(): Command {
  const command = new Command('data').description(
    'find Fashion-MNIST on this machine, or download it into the user cache, and check it',
  );
  return addDataOptions(command)
    .option('--quiet', 'print results and errors only')
    .action((flags: DataFlags) =>
      withSession(flags, async ({ terminal, signal }) => {
        const { describeData, loadFashionMnist } = await import('../data/fashionMnist.js');
        const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
        terminal.print(`${data.name} is ready: ${describeData(data)}, from ${data.folder}`);
      }),
    );
}
