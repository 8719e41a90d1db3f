/** This machine and this package, as what is measured here is labelled. */
import { readFileSync } from 'node:fs';
import * as os from 'node:os';

export interface Machine {
  platform: string;
  cpu: string;
  cores: number;
  /** In bytes. */
  memory: number;
}

/** The machine this runs on. */
export function describeMachine(): Machine {
  const cpus = os.cpus();
  return {
    platform: `${os.platform()}-${os.arch()}`,
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memory: os.totalmem(),
  };
}

/** This package's version. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
