/** What a step finds of its host while it is recorded: no randomness, and in the second run clocks that are ahead. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { FREEZE_HINT, refuse, unlessDrawn } from './refusal.js';

/** Properties that have another value until they are put back. */
export class Exchange {
  private readonly undos: (() => void)[] = [];

  put(target: object, name: string, value: unknown): void {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { configurable: true, writable: true, enumerable: before?.enumerable, value });
    this.undos.push(() => {
      if (before) Object.defineProperty(target, name, before);
      else Reflect.deleteProperty(target, name);
    });
  }

  putBack(): void {
    for (const undo of this.undos.splice(0).reverse()) undo();
    syncBuiltinESMExports();
  }
}

export function exchangeHost(host: Exchange, { isReplay }: { isReplay: boolean }): void {
  refuseRandomness(host);
  if (isReplay) putClocksAhead(host);
  // What programs import by name from Node's modules follows.
  syncBuiltinESMExports();
}

export function refuseDraw(by: string): Error {
  return unlessDrawn(refuse(`randomness on the host (${by})`, FREEZE_HINT));
}

/** A graph would repeat its numbers. */
function refuseRandomness(host: Exchange): void {
  const refuseIn = (target: object, prefix: string, names: readonly string[]) => {
    for (const name of names)
      host.put(target, name, () => {
        throw refuseDraw(`${prefix}.${name}`);
      });
  };
  refuseIn(Math, 'Math', ['random']);
  refuseIn(crypto, 'crypto', ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID']);
  refuseIn(crypto.webcrypto, 'crypto', ['getRandomValues', 'randomUUID']);
}

/**
 * Another year, month, weekday, hour, minute, second and millisecond, and so far away that a float32 shows it: 400 days
 * and 7:11:13.417 hours.
 */
const AHEAD = (((400 * 24 + 7) * 60 + 11) * 60 + 13) * 1000 + 417;

/** Each reading is this much later again, so that a span between two shows, too; even, so that the sum stays odd. */
const LONGER = 1010;

/** Where a step uses a clock its second run differs from the first, and is refused; to print one is no use of it. */
function putClocksAhead(host: Exchange): void {
  let readings = 0;
  const ahead = () => AHEAD + LONGER * readings++;
  const { Date: StockDate } = globalThis;
  const now = StockDate.now.bind(StockDate);
  const [monotonic, uptime] = [performance.now.bind(performance), process.uptime.bind(process)];
  const nanosecondsNow = process.hrtime.bigint.bind(process.hrtime);
  const nanoseconds = () => nanosecondsNow() + BigInt(ahead()) * 1_000_000n;
  const hrtime = (since: [number, number] = [0, 0]) => {
    const passed = nanoseconds() - BigInt(since[0]) * 1_000_000_000n - BigInt(since[1]);
    return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)];
  };
  const later = () => now() + ahead();
  const LaterDate = new Proxy(StockDate, {
    apply: () => new StockDate(later()).toString(),
    construct: (target, given: unknown[], made) =>
      Reflect.construct(target, given.length > 0 ? given : [later()], made) as Date,
  });
  host.put(StockDate, 'now', later);
  host.put(globalThis, 'Date', LaterDate);
  host.put(performance, 'now', () => monotonic() + ahead());
  host.put(process.hrtime, 'bigint', nanoseconds);
  host.put(process, 'hrtime', Object.assign(hrtime, { bigint: nanoseconds }));
  host.put(process, 'uptime', () => uptime() + ahead() / 1000);
}
