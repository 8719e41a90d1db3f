/** Who could have changed what is about to be loaded: only the user and root may. */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { cannot } from './errors.js';
import { quoted, toType } from './invocation.js';

/** Throws a BnTrainError for a file or folder that belongs to another user, or that others may write to. */
export async function assertTrusted(what: string, places: readonly string[]): Promise<void> {
  for (const place of new Set(places)) {
    const why = distrustOf(await stat(place));
    if (why !== undefined)
      throw cannot(`use ${what}`, {
        expected: `only you and root to be able to change ${place}`,
        got: why.got,
        hint: `if you trust what is in it: ${why.mend} ${quoted(place)} && ${toType('setup')}`,
      });
  }
}

function distrustOf({ uid, gid, mode }: Stats): { got: string; mend: string } | undefined {
  const [user, group] = [process.geteuid?.(), process.getegid?.()];
  if (uid !== 0 && uid !== user) return { got: `one that belongs to the user ${uid}`, mend: 'sudo chown -R root' };
  if ((mode & 0o002) !== 0) return { got: 'one that everyone may write to', mend: 'chmod o-w' };
  const own = gid === group || (gid === 0 && uid === 0);
  return (mode & 0o020) === 0 || own ? undefined : { got: `one that the group ${gid} may write to`, mend: 'chmod g-w' };
}
