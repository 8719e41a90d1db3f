/** `bn-train setup`: installs the native runtime and compiles the fused kernels now, rather than on first need. */
import { Command } from 'commander';
import { BnTrainError } from '../common/errors.js';
import type { Runtime } from '../runtime/install/finished.js';
import { runtimeDirOption, type SessionFlags, tensorflowOption, yesOption } from './options.js';
import { type Session, withSession } from './session.js';

interface SetupFlags extends SessionFlags {
  cuda?: boolean;
  tensorflow?: string;
  runtimeDir?: string;
}

export function setupCommand(): Command {
  return (
    new Command('setup')
      .description(
        'install the native TensorFlow runtime, and the kernels of fused steps, into the user cache, once for all checkouts',
      )
      .option('--cuda', 'for NVIDIA GPUs, whether or not one is here (default: if one is here that can be used)')
      .addOption(tensorflowOption())
      .addOption(runtimeDirOption())
      .addOption(yesOption())
      .option('--quiet', 'print results and errors only')
      // Whoever names CUDA has said yes.
      .action((flags: SetupFlags) =>
        withSession({ ...flags, yes: flags.yes === true || flags.cuda === true }, (session) => setUp(flags, session)),
      )
  );
}

/** Installs for CUDA where --cuda says so or a GPU can be used, else for the CPU. */
async function setUp({ cuda, tensorflow, runtimeDir }: SetupFlags, { terminal, signal }: Session): Promise<void> {
  const [{ installRuntime }, { locateRuntime }, { findGpu, NoGpu, oneLine }] = await Promise.all([
    import('../runtime/install/install.js'),
    import('../runtime/install/libraries.js'),
    import('../runtime/choose.js'),
  ]);
  const want = { device: 'cuda', tensorflow, runtimeDir } as const;
  const installed = async () => (await locateRuntime(want, { signal }))?.tensorflow;
  const whyNot = (error: unknown) => {
    if (error instanceof BnTrainError || error instanceof NoGpu) return error;
    throw error;
  };
  const gpu = { ...want, device: cuda ? 'cuda' : 'auto', signal };
  const obstacle = await findGpu(gpu, installed).then(() => undefined, whyNot);
  const device = cuda || obstacle === undefined ? 'cuda' : 'cpu';
  const runtime = await installRuntime({ ...want, device }, { listener: terminal, signal });
  terminal.print(...readyLines(runtime, device));
  if (cuda && obstacle instanceof BnTrainError) terminal.notice(`no GPU can be used yet. ${oneLine(obstacle)}`);
  if (device === 'cpu') await prepare({ tensorflow, runtimeDir }, { terminal, signal });
}

/** Kernels are for the CPU alone. Without them training works as well, only slower. */
async function prepare(
  want: Pick<SetupFlags, 'tensorflow' | 'runtimeDir'>,
  { terminal, signal }: Pick<Session, 'terminal' | 'signal'>,
) {
  const [{ openBackend }, { prepareKernels }, { NORMS }] = await Promise.all([
    import('../runtime/open.js'),
    import('../train/prepare.js'),
    import('../nn/lenet.js'),
  ]);
  await openBackend('native', { ...want, device: 'cpu' });
  for (const norm of NORMS) {
    const kernels = await prepareKernels(norm, signal);
    if (!kernels) return;
    if ('reason' in kernels)
      return terminal.warn(`training will be without fused kernels, which is slower: ${kernels.reason}`);
    terminal.print(`the fused kernels of ${norm} are ready: ${kernels.hash}, compiled by ${kernels.compiler}`);
  }
}

function readyLines({ tensorflow, libraries, cuda }: Runtime, device: 'cpu' | 'cuda'): string[] {
  const ready = `TensorFlow ${tensorflow} is ready: ${libraries}`;
  if (device === 'cpu' || !cuda) return [ready];
  return [ready, `CUDA ${cuda.toolkit}, cuDNN ${cuda.cudnn}: every library that TensorFlow opens was found and opens`];
}
