/** Machines with GPUs that are not there: an nvidia-smi that says what a real one would. */
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

/** A line of `nvidia-smi --query-gpu=… --format=csv,noheader,nounits`; memory in MiB. */
export function smiLine(gpu: Partial<Record<'index' | 'name' | 'driver' | 'capability' | 'memory' | 'free', string>>) {
  const { index = '0', name = 'NVIDIA A100-SXM4-80GB', driver = '550.54.15', capability = '8.0' } = gpu;
  const { memory = '81920', free = '81000' } = gpu;
  return `${index}, GPU-${index}1c0e4f-aa, ${name}, ${driver}, ${capability}, ${memory}, ${free}`;
}

/** A PATH on which this shell script comes first. */
export async function pathWithScript(name: string, script: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bn-train-path-'));
  await writeFile(path.join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(path.join(folder, name), 0o755);
  return `${folder}:${process.env['PATH'] ?? ''}`;
}

/** A PATH on which this `nvidia-smi` comes first. */
export const pathWithSmi = (script: string) => pathWithScript('nvidia-smi', script);

/** One that lists these GPUs, if it is asked the right question. */
export function pathWithGpus(...gpus: Parameters<typeof smiLine>[0][]): Promise<string> {
  const asked = '--query-gpu=index,uuid,name,driver_version,compute_cap,memory.total,memory.free';
  const lines = gpus.map(smiLine).join('\n');
  return pathWithSmi(`test "$*" = "${asked} --format=csv,noheader,nounits" || exit 9\ncat <<'END'\n${lines}\nEND`);
}
