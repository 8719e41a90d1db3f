/** One file over HTTP, into memory: tried again with back-off, given up when too little comes or too much. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type BnTrainError, cannot, messageOf } from '../common/errors.js';
import { codeOf } from '../common/files.js';

export interface Patience {
  /** Tries in all; the wait before another doubles from `backoff` milliseconds. Defaults 4 and 500. */
  tries?: number;
  backoff?: number;
  /** Milliseconds after which a try is given up: those in which nothing came, and those in all. Defaults 20 s and 30 min. */
  silence?: number;
  timeout?: number;
}

export interface DownloadOptions extends Patience {
  /** The most bytes the file may have. */
  limit: number;
  onProgress?: (done: number, total: number) => void;
}

/** A failure that another try will not mend. */
class Final extends Error {}

/** The bytes at `url`. Throws a BnTrainError naming the address when all tries failed. */
export async function download(url: string, options: DownloadOptions): Promise<Uint8Array> {
  const { tries = 4, backoff = 500 } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptDownload(url, options);
    } catch (error) {
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

async function attemptDownload(url: string, options: DownloadOptions): Promise<Uint8Array> {
  const { limit, onProgress, silence = 20_000, timeout = 1_800_000 } = options;
  const enough = new AbortController();
  const [silent, endless] = [silence, timeout].map((time) => setTimeout(() => enough.abort(), time));
  try {
    const response = await fetch(url, { headers: { 'accept-encoding': 'identity' }, signal: enough.signal });
    if (!response.ok || !response.body)
      throw new (response.status < 500 ? Final : Error)(`HTTP status ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? limit);
    if (total > limit) throw new Final(`${total} bytes where at most ${limit} belong`);
    const chunks: Uint8Array[] = [];
    let done = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      silent?.refresh();
      done += chunk.length;
      if (done > limit) throw new Final(`more than ${limit} bytes`);
      chunks.push(chunk);
      onProgress?.(done, total);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw enough.signal.aborted ? new Error('too little data for too long', { cause: error }) : error;
  } finally {
    clearTimeout(silent);
    clearTimeout(endless);
    // An answer that was not wanted would go on coming.
    enough.abort();
  }
}
