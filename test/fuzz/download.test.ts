/** Servers that do anything at all: either the four files arrive whole, or an error names each source; nothing else is kept. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { download } from '../../src/data/download.js';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import { fetchInto } from '../../src/data/fetch.js';
import { silent } from '../../src/common/listener.js';
import { imageFile, makePayload } from '../data/payload.js';
import { outcomeLater, Tally } from '../support/fuzz.js';
import { type Reply, type Server, startServer } from '../support/server.js';

const payload = makePayload(2, 1);
const work = mkdtempSync(path.join(tmpdir(), 'bn-train-download-'));
const patience = { tries: 2, backoff: 1, silence: 5000 };
let server: Server;
/** What the server answers to a path, by how often it was asked before; else the file. */
let fault: (name: string, earlier: number) => Reply | undefined;

beforeAll(async () => {
  server = await startServer(({ path: asked }, earlier) => {
    const name = `/${path.basename(asked)}`;
    const body = payload.packed.get(name);
    return fault(name, earlier) ?? (body ? { body } : { status: 404 });
  });
});
afterEach(() => (fault = () => undefined));
afterAll(async () => {
  await server.close();
  await rm(work, { recursive: true });
});

type Fault = (body: Buffer, name: string) => Reply;
const bomb = gzipSync(Buffer.alloc(2 ** 22));
const wrap = (status: string, headers: string, body: Uint8Array) =>
  Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${headers}\r\n`), body]);
const chunked = (body: Uint8Array) =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);

const FAULTS: Record<string, Fault> = {
  'the file': (body) => ({ body }),
  500: () => ({ status: 500, body: 'sorry' }),
  503: () => ({ status: 503 }),
  404: () => ({ status: 404 }),
  204: () => ({ status: 204 }),
  416: () => ({ status: 416 }),
  'cut off': (body) => ({ body, cutAfter: body.length >> 1 }),
  'cut off at once': (body) => ({ body, cutAfter: 0 }),
  'half of it as if whole': (body) => ({ body: body.subarray(0, body.length >> 1) }),
  'nothing as if whole': () => ({ body: '' }),
  'other bytes': (body) => ({ body: gzipSync(Buffer.from(body)) }),
  'another file of the same size': () => ({ body: gzipSync(imageFile(2)) }),
  'no gzip': () => ({ body: 'hello' }),
  'a bomb': () => ({ body: bomb }),
  'far too much': () => ({ body: Buffer.alloc(200_000) }),
  'far too much in chunks': () => ({
    raw: wrap('200 OK', 'transfer-encoding: chunked\r\n', chunked(Buffer.alloc(200_000))),
  }),
  'the file in chunks': (body) => ({ raw: wrap('200 OK', 'transfer-encoding: chunked\r\n', chunked(body)) }),
  'a longer length': (body) => ({ raw: wrap('200 OK', `content-length: ${body.length + 5}\r\n`, body) }),
  'a shorter length': (body) => ({ raw: wrap('200 OK', `content-length: ${body.length - 5}\r\n`, body) }),
  'a length of 2^63': (body) => ({ raw: wrap('200 OK', 'content-length: 9223372036854775808\r\n', body) }),
  'a length that is none': (body) => ({ raw: wrap('200 OK', 'content-length: -1\r\n', body) }),
  'the wrong range': () => ({ status: 206, headers: { 'content-range': 'bytes 7-8/9' }, body: 'xx' }),
  'a range without a name': (body) => ({ status: 206, body }),
  'an encoding that it has not': (body) => ({ headers: { 'content-encoding': 'br' }, body }),
  'packed twice': (body) => ({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(body) }),
  'a redirect in a circle': (_, name) => ({ status: 302, headers: { location: name } }),
  'a redirect to a file': () => ({ status: 302, headers: { location: 'file:///etc/passwd' } }),
  'a redirect to nowhere': () => ({ status: 302 }),
  'no answer': () => ({ raw: '' }),
  'no HTTP': () => ({ raw: '\u0000\u001b[2J not http\r\n\r\n' }),
  'endless headers': () => ({ raw: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n` }),
};

const exact = (folder: string) => {
  for (const name of readdirSync(folder)) {
    const whole = payload.files.get(name);
    assert.ok(whole && readFileSync(path.join(folder, name)).equals(whole), `${name} is another file`);
  }
};

const script = fc.array(fc.constantFrom(...Object.keys(FAULTS)), { minLength: 1, maxLength: 5 });

it('any answers in any order; and afterwards a server that works', async () => {
  let cases = 0;
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(script, async (answers) => {
      const folder = path.join(work, `case-${++cases}`);
      const url = `${server.url}/case-${cases}/`;
      let asked = 0;
      fault = (name) => FAULTS[answers[asked++] ?? '']?.(payload.packed.get(name) ?? Buffer.alloc(0), name);
      const manifest = payload.manifest([{ kind: 'http', url }]);
      const outcome = tally.add(
        await outcomeLater(url, () => fetchInto(folder, manifest, { listener: silent, patience })),
      );
      exact(folder);
      if ('value' in outcome) assert.deepEqual(readdirSync(folder).sort(), [...payload.files.keys()].sort());
      else assert.match(outcome.error.message, /^Cannot get Fashion-MNIST: expected one source to work, got /);
      fault = () => undefined;
      await fetchInto(folder, manifest, { listener: silent, patience });
      assert.deepEqual(readdirSync(folder).sort(), [...payload.files.keys()].sort());
      exact(folder);
      await rm(folder, { recursive: true });
    }),
    { numRuns: 250 },
  );
  tally.expectBoth(20);
});

describe('one file', () => {
  const name = '/train-images';
  const at = (case_: string) => `${server.url}/${case_}${name}.gz`;
  const body = payload.packed.get(`${name}.gz`) ?? Buffer.alloc(0);
  const options = { ...patience, limit: 10_000 };

  it('comes after errors of the server, as many as there are tries', async () => {
    fault = (_, earlier) => (earlier < 3 ? { status: 500 } : undefined);
    expect(body.equals(await download(at('errors'), { ...options, tries: 4 }))).toBe(true);
    await expect(download(at('more'), options)).rejects.toThrow(/: expected the file, got HTTP status 500$/);
  });

  it('is given up where a byte comes now and then, for ever', async () => {
    fault = () => ({ body: Buffer.alloc(9000), trickle: 1 });
    await expect(download(at('drops'), { ...options, tries: 1, silence: 400, timeout: 800 })).rejects.toThrow(
      `Cannot download ${at('drops')}: expected the file, got too little data for too long`,
    );
  });

  it('comes though it takes longer than nothing may', async () => {
    fault = () => ({ body: Buffer.alloc(100), trickle: 1 });
    expect(await download(at('slow'), { ...options, tries: 1, silence: 400 })).toHaveLength(100);
  });

  it('is let go when told to stop, before or amid the last try', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    fault = () => ({ body: Buffer.alloc(9000), trickle: 1 });
    const amid = { ...options, tries: 1, signal, onProgress: () => controller.abort() };
    const stopped = await download(at('stopped'), amid).catch((error: unknown) => error);
    expect(stopped).toBe(signal.reason);
    await expect(download(at('never'), { ...options, signal })).rejects.toBe(signal.reason);
    expect(server.requests.some(({ path: asked }) => asked.startsWith('/never'))).toBe(false);
  });

  it.each([
    { answer: 'far too much', got: '200000 bytes where at most 10000 belong' },
    { answer: 'far too much in chunks', got: 'more than 10000 bytes' },
    { answer: 'a redirect in a circle', got: 'fetch failed (redirect count exceeded)' },
    { answer: 'a redirect to a file', got: 'fetch failed (URL scheme must be a HTTP(S) scheme)' },
    { answer: 'no HTTP', got: 'fetch failed (HPE_INVALID_CONSTANT)' },
    { answer: 'endless headers', got: 'fetch failed (UND_ERR_HEADERS_OVERFLOW)' },
    { answer: 'no answer', got: 'fetch failed (UND_ERR_SOCKET)' },
  ])('is not $answer', async ({ answer, got }) => {
    const url = at(answer.replaceAll(' ', '-'));
    fault = (asked) => FAULTS[answer]?.(body, asked);
    await expect(download(url, options)).rejects.toThrow(`Cannot download ${url}: expected the file, got ${got}`);
  });
});

it('a data set of no images is refused', async () => {
  const manifest = makePayload(0, 1);
  const folder = path.join(work, 'none');
  mkdirSync(folder);
  for (const [name, bytes] of manifest.files) writeFileSync(path.join(folder, name), bytes);
  const file = path.join(work, 'manifest.json');
  writeFileSync(file, JSON.stringify(manifest.manifest([])));
  process.env['BN_TRAIN_DATA_MANIFEST'] = file;
  try {
    await expect(loadFashionMnist({ dataDir: folder })).rejects.toThrow(
      `Cannot read ${folder}/train-images: expected at least one image, got 0 of 28×28`,
    );
  } finally {
    delete process.env['BN_TRAIN_DATA_MANIFEST'];
  }
});
