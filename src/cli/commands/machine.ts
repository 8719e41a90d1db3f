/** `bn-train setup`, `doctor` and `data`: what the machine has and what it needs. */
import { Command } from 'commander';
import { interruptSignal } from '../session.js';
import { folder as folderName, type MachineFlags, runtimeDirOption, tensorflowOption } from '../options.js';

export function setupCommand(): Command {
  return new Command('setup')
    .description('install the native TensorFlow runtime into the user cache, once for all checkouts')
    .option('--cuda', 'for NVIDIA GPUs, whether or not one is here (default: if one is here that can be used)')
    .addOption(tensorflowOption())
    .addOption(runtimeDirOption())
    .option('--quiet', 'print results and errors only')
    .action(async (flags: MachineFlags) => {
      const { runSetup } = await import('../setup.js');
      await runSetup(flags);
    });
}

export function dataCommand(): Command {
  return new Command('data')
    .description('find Fashion-MNIST on this machine, or download it into the user cache, and check it')
    .option('--data-dir <folder>', 'check this folder instead', folderName)
    .option('--quiet', 'print results and errors only')
    .action(async ({ dataDir, quiet = false }: MachineFlags) => {
      const [{ loadFashionMnist }, { Terminal }] = await Promise.all([
        import('../../data/fashionMnist.js'),
        import('../../report/terminal.js'),
      ]);
      const listener = new Terminal({ quiet });
      interruptSignal().addEventListener('abort', () => process.exit(130));
      const { train, test, folder } = await loadFashionMnist({ dataDir, listener }).finally(() => listener.close());
      console.log(
        `Fashion-MNIST is ready: ${train.count} + ${test.count} images of ${train.height}×${train.width} in ${folder}`,
      );
    });
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show what this machine has, which backend would be chosen and why, and what is missing')
    .addOption(runtimeDirOption())
    .option('--json', 'print JSON')
    .action(async ({ runtimeDir, json }: MachineFlags) => {
      const [{ diagnose }, { doctorLines }] = await Promise.all([
        import('../../runtime/doctor.js'),
        import('../../report/doctorLines.js'),
      ]);
      const { findFashionMnist } = await import('../../data/fashionMnist.js');
      const diagnosis = await diagnose({ runtimeDir });
      const data = await findFashionMnist();
      diagnosis.facts.push({ label: 'data set', value: data ?? 'not here yet' });
      if (data === undefined) diagnosis.missing.push({ what: 'Fashion-MNIST', command: 'bn-train data' });
      console.log(json ? JSON.stringify(diagnosis) : doctorLines(diagnosis).join('\n'));
    });
}
