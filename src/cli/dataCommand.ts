/** `bn-train data`: fetches and checks the data set now, rather than on first need. */
import { Command } from 'commander';
import { folder as folderName, type SessionFlags } from './options.js';
import { withSession } from './session.js';

interface DataFlags extends SessionFlags {
  dataDir?: string;
}

export function dataCommand(): Command {
  return new Command('data')
    .description('find Fashion-MNIST on this machine, or download it into the user cache, and check it')
    .option('--data-dir <folder>', 'check this folder instead', folderName)
    .option('--quiet', 'print results and errors only')
    .action((flags: DataFlags) =>
      withSession(flags, async ({ terminal, signal }) => {
        const { loadFashionMnist } = await import('../data/fashionMnist.js');
        const { train, test, folder } = await loadFashionMnist({ dataDir: flags.dataDir, listener: terminal, signal });
        const images = `${train.count} + ${test.count} images of ${train.height}×${train.width}`;
        terminal.print(`Fashion-MNIST is ready: ${images} in ${folder}`);
      }),
    );
}
