/** One file over HTTP: resumed where it stopped, retried with back-off, given up when nothing comes. */
import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { BnTrainError, cannot, messageOf } from '../common/errors.js';
import { codeOf, describeFileError } from '../common/files.js';

export interface DownloadOptions {
  /** The most bytes the file may have. */
  limit: number;
  onProgress?: (done: number, total: number) => void;
  /** Tries in all; the wait before another doubles from `backoff` milliseconds. Defaults 4 and 500. */
  tries?: number;
  backoff?: number;
  /** Milliseconds in which at least 16 KiB, or the rest, must come; a try with less is given up. Default 20,000. */
  stall?: number;
}

/** A failure that another try will not mend. */
class Final extends Error {}

/**
 * Downloads `url` into `part`; bytes that are already there are kept and the rest is asked for. Throws a BnTrainError
 * naming the address when all tries failed.
 */
export async function download(url: string, part: string, options: DownloadOptions): Promise<void> {
  const { tries = 4, backoff = 500 } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptDownload(url, part, options);
    } catch (error) {
      if (error instanceof BnTrainError) throw error;
      // A name that is unknown or a port that is closed seldom mends within seconds; another source is nearer.
      const unreachable = ['ENOTFOUND', 'ECONNREFUSED'].includes(codeOf((error as Error).cause) ?? '');
      const redirected = messageOf((error as Error).cause) === 'redirect count exceeded';
      const enough = attempt >= (unreachable ? Math.min(2, tries) : tries);
      if (error instanceof Final || redirected || enough) throw failure(url, error);
      await sleep(backoff * 2 ** (attempt - 1));
    }
  }
}

function failure(url: string, error: unknown): BnTrainError {
  const cause = (error as Error).cause;
  const detail = cause instanceof Error ? `${messageOf(error)} (${codeOf(cause) ?? cause.message})` : messageOf(error);
  return cannot(`download ${url}`, {
    expected: 'the file',
    got: detail,
    hint: 'check the connection, then: bn-train data',
    cause: error,
  });
}

async function attemptDownload(url: string, part: string, options: DownloadOptions): Promise<void> {
  const have = await stat(part).then(
    ({ size }) => (size > options.limit ? 0 : size),
    () => 0,
  );
  const watchdog = new Watchdog(options.stall ?? 20_000);
  try {
    const response = await fetch(url, {
      // Resuming counts the file's own bytes, not those of an encoding on the way.
      headers: { 'accept-encoding': 'identity', ...(have > 0 && { range: `bytes=${have}-` }) },
      signal: watchdog.signal,
    });
    // 416: nothing is left to send; what is there is the whole file, or will fail its check.
    if (response.status === 416 && have > 0) {
      await response.body?.cancel();
      return;
    }
    if (!response.ok || !response.body)
      throw new (response.status < 500 ? Final : Error)(`HTTP status ${response.status}`);
    const from = response.status === 206 ? have : 0;
    await assertContinues(response, part, from);
    await writeBody(response, part, from, options, watchdog);
  } catch (error) {
    throw watchdog.signal.aborted ? new Error('too little data for too long', { cause: error }) : error;
  } finally {
    watchdog.stop();
  }
}

/** A part that the answer does not continue is worthless; the next try starts from zero. */
async function assertContinues(response: Response, part: string, from: number): Promise<void> {
  const range = response.headers.get('content-range') ?? '';
  if (response.status !== 206 || range.startsWith(`bytes ${from}-`)) return;
  await discard(part);
  throw new Error(`the range ${range.slice(0, 60) || 'unnamed'} where the bytes from ${from} belong`);
}

async function writeBody(
  response: Response,
  part: string,
  from: number,
  options: DownloadOptions,
  watchdog: Watchdog,
): Promise<void> {
  const length = response.headers.get('content-length');
  const total = length === null ? options.limit : from + Number(length);
  if (total > options.limit) throw new Final(`${total} bytes where at most ${options.limit} belong`);
  const file = await open(part, from > 0 ? 'a' : 'w').catch((error: unknown) =>
    Promise.reject(fileFailure(part, error)),
  );
  try {
    let done = from;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      watchdog.feed(chunk.length);
      done += chunk.length;
      if (done > options.limit) {
        await discard(part);
        throw new Final(`more than ${options.limit} bytes`);
      }
      await file.write(chunk).catch((error: unknown) => Promise.reject(fileFailure(part, error)));
      options.onProgress?.(done, total);
    }
    if (length !== null && done !== total) throw new Error(`${done} of ${total} bytes`);
  } finally {
    await file.close();
  }
}

function fileFailure(part: string, error: unknown): BnTrainError {
  return cannot(`write ${part}`, {
    expected: 'room and permission',
    got: describeFileError(error),
    hint: 'free some space, or choose another cache with XDG_CACHE_HOME',
    cause: error,
  });
}

/** The least that must come within the time limit, so that a byte now and then does not hold a try up for years. */
const MEAL = 16_384;

/** Aborts its signal when it has not been fed MEAL bytes for `limit` milliseconds. */
class Watchdog {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private eaten = 0;

  constructor(limit: number) {
    this.timer = setTimeout(() => this.controller.abort(), limit);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  feed(bytes: number): void {
    this.eaten += bytes;
    if (this.eaten < MEAL) return;
    this.eaten = 0;
    this.timer.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

/** Removes a partial file that turned out to be wrong. */
export async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
}
