/** One file over HTTP, into memory: tried again with back-off, given up when too little comes or too much. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { type BnTrainError, cannot, messageOf } from '../common/errors.js';
import { codeOf } from '../common/files.js';
import { toType } from '../common/invocation.js';
import { openDispatcher, proxyFor } from './proxy.js';

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
  signal?: AbortSignal | undefined;
}

/** A failure that another try will not mend. */
class Final extends Error {}

/** The bytes at `url`. Throws a BnTrainError naming the address when all tries failed, an AbortError when told to stop. */
export async function download(url: string, options: DownloadOptions): Promise<Uint8Array> {
  const { tries = 4, backoff = 500, signal } = options;
  const proxy = proxyFor(new URL(url));
  signal?.throwIfAborted();
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptDownload(url, options);
    } catch (error) {
      signal?.throwIfAborted();
      // A name that is unknown or a port that is closed seldom mends within seconds; another source is nearer.
      const unreachable = ['ENOTFOUND', 'ECONNREFUSED'].includes(codeOf((error as Error).cause) ?? '');
      const redirected = messageOf((error as Error).cause) === 'redirect count exceeded';
      const enough = attempt >= (unreachable ? Math.min(2, tries) : tries);
      if (error instanceof Final || redirected || enough) throw failure(url, proxy, error);
      await sleep(backoff * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}

function failure(url: string, proxy: URL | undefined, error: unknown): BnTrainError {
  const { cause } = error as Error;
  return cannot(`download ${url}`, {
    expected: proxy ? `the file through the proxy ${proxy.host}` : 'the file',
    got: cause instanceof Error ? `${messageOf(error)} (${detailOf(cause)})` : messageOf(error),
    hint: `check the connection${proxy ? ' and the proxy' : ''}, then: ${toType('data')}`,
    cause: error,
  });
}

/** The code is the shortest name of a fault, but these two stand for a proxy's refusals, which they do not tell. */
function detailOf(error: Error): string {
  if (error.cause instanceof Error) return detailOf(error.cause);
  const code = codeOf(error);
  return code === undefined || ['UND_ERR_ABORTED', 'UND_ERR_INVALID_ARG'].includes(code) ? error.message : code;
}

async function attemptDownload(url: string, options: DownloadOptions): Promise<Uint8Array> {
  const { limit, onProgress, silence = 20_000, timeout = 1_800_000, signal } = options;
  const enough = new AbortController();
  const stop = () => enough.abort();
  const [silent, endless] = [silence, timeout].map((time) => setTimeout(stop, time));
  signal?.addEventListener('abort', stop);
  const dispatcher = openDispatcher();
  try {
    const response = await fetch(url, {
      headers: { 'accept-encoding': 'identity' },
      signal: enough.signal,
      dispatcher,
    });
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
    signal?.removeEventListener('abort', stop);
    // An answer that was not wanted would go on coming.
    await dispatcher.destroy();
  }
}
