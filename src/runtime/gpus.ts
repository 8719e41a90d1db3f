/** What NVIDIA's driver says of the machine's GPUs, through its own program `nvidia-smi`. */
import { readdir, readFile } from 'node:fs/promises';
import { lastLine, runCommand } from '../common/command.js';

export interface Gpu {
  /** As nvidia-smi counts, by the place on the PCI bus. */
  index: number;
  uuid: string;
  name: string;
  driver: string;
  /** Compute capability, "9.0". */
  capability: string;
  /** In bytes; undefined where the GPU shares the machine's memory. */
  memory?: number | undefined;
  free?: number | undefined;
}

/** The GPUs, or why there are none to be seen; `plain` where the machine shows no sign of one. */
export type GpuQuery = { gpus: Gpu[] } | { problem: string; plain: boolean };

const FIELDS = ['index', 'uuid', 'name', 'driver_version', 'compute_cap', 'memory.total', 'memory.free'];

/** In ms. A driver that hangs has its nvidia-smi wait for ever. */
const PATIENCE = 5000;

/** Asks nvidia-smi. */
export async function queryGpus(signal?: AbortSignal): Promise<GpuQuery> {
  const args = [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'];
  const outcome = await runCommand('nvidia-smi', args, { timeout: PATIENCE, signal });
  if (!outcome) return { problem: 'no nvidia-smi on the PATH', plain: !(await hasNvidiaHardware()) };
  if (outcome.late) return { problem: `nvidia-smi: no answer within ${PATIENCE / 1000} s`, plain: false };
  if (outcome.code !== 0) {
    const said = lastLine(outcome.stderr) || lastLine(outcome.stdout) || `exit status ${outcome.code}`;
    return { problem: `nvidia-smi: ${said}`, plain: false };
  }
  return parseGpus(outcome.stdout);
}

/** What nvidia-smi printed, one GPU a line. */
export function parseGpus(text: string): GpuQuery {
  const gpus: Gpu[] = [];
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const gpu = parseGpu(line);
    if (!gpu) return { problem: `nvidia-smi: ${line.trim()}`, plain: false };
    gpus.push(gpu);
  }
  return gpus.length > 0 ? { gpus } : { problem: 'nvidia-smi: no GPU', plain: false };
}

function parseGpu(line: string): Gpu | undefined {
  const fields = line.split(',').map((field) => field.trim());
  const [index = '', uuid = '', name = '', driver = '', capability = '', memory, free] = fields;
  if (!/^\d+$/.test(index) || !/^\d+(\.\d+)+$/.test(driver) || !/^\d+\.\d+$/.test(capability)) return undefined;
  return { index: Number(index), uuid, name, driver, capability, memory: mebibytes(memory), free: mebibytes(free) };
}

/** "[N/A]" where the GPU has no memory of its own. */
function mebibytes(text = ''): number | undefined {
  return /^\d+$/.test(text) ? Number(text) * 2 ** 20 : undefined;
}

/** Whether a display or compute device of NVIDIA's is on the PCI bus, as Linux lists it. */
async function hasNvidiaHardware(): Promise<boolean> {
  const folder = '/sys/bus/pci/devices';
  const read = (file: string) => readFile(`${folder}/${file}`, 'utf8').catch(() => '');
  const devices = await readdir(folder).catch(() => []);
  const found = devices.map(async (device) => {
    const [vendor, kind] = [await read(`${device}/vendor`), await read(`${device}/class`)];
    return vendor.trim() === '0x10de' && kind.startsWith('0x03');
  });
  return (await Promise.all(found)).includes(true);
}
