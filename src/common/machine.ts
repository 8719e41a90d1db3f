/** This machine and this package, as what is measured here is labelled, and the user's home. */
import { existsSync, readFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { cannot, messageOf } from './errors.js';

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

/** The version, and the commit that was built, where the build knew one; "+changes" if there were any besides. */
export function packageVersions(): { 'bn-train': string; commit?: string } {
  const file = new URL('../commit.json', import.meta.url);
  const commit = existsSync(file) ? { commit: JSON.parse(readFileSync(file, 'utf8')) as string } : {};
  return { 'bn-train': packageVersion(), ...commit };
}

/** `$HOME`; where that is unset, empty or relative, what the user database says, never the working directory. */
export function homeDirectory(): string {
  const home = process.env['HOME'] ?? '';
  if (path.isAbsolute(home)) return home;
  try {
    return os.userInfo().homedir;
  } catch (error) {
    throw cannot('find your home folder', {
      expected: 'HOME to name a folder, or an entry in the user database',
      got: `HOME=${home}, and ${messageOf(error)}`,
      hint: 'set HOME, or XDG_CACHE_HOME for the cache',
      cause: error,
    });
  }
}
