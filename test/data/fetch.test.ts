import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silent } from '../../src/common/listener.js';
import { download } from '../../src/data/download.js';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import type { Source } from '../../src/data/manifest.js';
import { firstOf } from '../support/amount.js';
import { program, runProgram, start, startProgram } from '../support/program.js';
import { type Reply, type Request, type Server, startServer } from '../support/server.js';
import { makePayload, writeFiles } from './payload.js';

const payload = makePayload();
const READY = /^Fashion-MNIST is ready: 1000 \+ 20 images of 28×28 in 10 classes, from .*fashion-mnist\n$/;

let work: string;
let servers: Server[];
beforeEach(() => {
  work = mkdtempSync(path.join(tmpdir(), 'bn-train-data-'));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(work, { recursive: true });
});

const cache = () => path.join(work, 'bn-train/fashion-mnist');
const serve = async (fault: (request: Request, earlier: number) => Reply | undefined = () => undefined) => {
  const server = await startServer((request, earlier) => {
    const body = payload.packed.get(request.path);
    return fault(request, earlier) ?? (body ? { body } : { status: 404 });
  });
  servers.push(server);
  return server;
};
const http = (...from: Server[]): Source[] => from.map(({ url }) => ({ kind: 'http', url: `${url}/` }));

/** The environment in which the built program knows only these sources and folders. */
function environment(sources: Source[], folders: string[] = []) {
  const manifest = path.join(work, 'manifest.json');
  writeFileSync(manifest, JSON.stringify(payload.manifest(sources, folders)));
  return { BN_TRAIN_DATA_MANIFEST: manifest, XDG_CACHE_HOME: work };
}

async function expectReady(env: Record<string, string>): Promise<void> {
  const { stdout, stderr, code } = await runProgram(['data'], { env });
  expect(stdout, stderr).toMatch(READY);
  expect(code).toBe(0);
  for (const [name, bytes] of payload.files) expect(readFileSync(path.join(cache(), name)).equals(bytes)).toBe(true);
  expect(readdirSync(cache()).sort()).toEqual([...payload.files.keys()].sort());
}

const big = '/train-images.gz';
const bigFile = payload.packed.get(big) ?? Buffer.alloc(0);

describe('fetching survives', () => {
  it.each<{ name: string; fault: (request: Request, earlier: number) => Reply | undefined }>([
    { name: 'nothing wrong', fault: () => undefined },
    { name: 'a server error, then success', fault: (_, earlier) => (earlier === 0 ? { status: 503 } : undefined) },
  ])('$name', async ({ fault }) => {
    await expectReady(environment(http(await serve(fault))));
  });

  it('a truncated download, which it begins again', async () => {
    const server = await serve(({ path: name }, earlier) =>
      name === big && earlier === 0 ? { body: bigFile, cutAfter: 300_000 } : undefined,
    );
    await expectReady(environment(http(server)));
    expect(server.requests.filter(({ path: name }) => name === big)).toHaveLength(2);
  });

  const FAULTS: { name: string; fault: (request: Request) => Reply | undefined; notice: RegExp }[] = [
    { name: 'not there', fault: () => ({ status: 404 }), notice: /expected the file, got HTTP status 404/ },
    {
      name: 'another file',
      fault: ({ path: name }) => (name === big ? { body: gzipSync(Buffer.alloc(784_016)) } : undefined),
      notice: /expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}/,
    },
    {
      name: 'a shorter file',
      fault: ({ path: name }) => (name === big ? { body: gzipSync(Buffer.alloc(10)) } : undefined),
      notice: /expected 784016 bytes, got 10/,
    },
    {
      name: 'a file that unpacks to more',
      fault: ({ path: name }) => (name === big ? { body: gzipSync(Buffer.alloc(9_000_000)) } : undefined),
      notice: /expected gzip of 784016 bytes, got Cannot create a Buffer larger than/,
    },
    {
      name: 'no gzip',
      fault: ({ path: name }) => (name === big ? { body: 'hello' } : undefined),
      notice: /expected gzip of 784016 bytes, got incorrect header check/,
    },
    {
      name: 'far too much',
      fault: ({ path: name }) => (name === big ? { body: Buffer.alloc(2_000_000) } : undefined),
      notice: /got 2000000 bytes where at most 849552 belong/,
    },
    {
      name: 'redirects in a circle',
      fault: ({ path: name }) => ({ status: 302, headers: { location: name } }),
      notice: /got fetch failed \(redirect count exceeded\)/,
    },
  ];

  it.each(firstOf(FAULTS, 3))('a source with $name, by taking the next', async ({ fault, notice }) => {
    const [bad, good] = [await serve(fault), await serve()];
    const env = environment(http(bad, good));
    const { stderr } = await runProgram(['data'], { env });
    expect(stderr).toMatch(notice);
    await expectReady(env);
  });

  it('a kill in the middle, and leaves nothing behind', async () => {
    const slow = await serve(({ path: name }, earlier) =>
      name === '/train-labels.gz' && earlier === 0 ? { body: Buffer.alloc(1000), trickle: 1 } : undefined,
    );
    const env = environment(http(slow));
    const killed = startProgram(['data'], { env });
    while (slow.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 200));
    killed.child.kill('SIGKILL');
    expect((await killed.result).signal).toBe('SIGKILL');
    writeFileSync(path.join(cache(), `.train-labels.${killed.child.pid}-0123abcd.tmp`), 'half');
    await expectReady(env);
    expect(slow.requests.filter(({ path: name }) => name === big)).toHaveLength(1);
  });

  it('two processes at once: one fetches, the other waits for it', async () => {
    const server = await serve(({ path: name }) => (name === big ? { body: bigFile, trickle: 16_384 } : undefined));
    const env = environment(http(server));
    const results = await Promise.all([runProgram(['data'], { env }), runProgram(['data'], { env })]);
    for (const { stdout, code } of results) expect([stdout, code]).toEqual([expect.stringMatching(READY), 0]);
    expect(server.requests).toHaveLength(4);
  });

  it('a damaged file in the cache, fetching that one again', async () => {
    await mkdir(cache(), { recursive: true });
    writeFiles(cache(), payload, { 'test-labels': Buffer.alloc(28) });
    const server = await serve();
    const env = environment(http(server));
    const { stderr } = await runProgram(['data'], { env });
    expect(stderr).toMatch(
      /^Fashion-MNIST: leaving out .*fashion-mnist \(Cannot use .*test-labels: expected SHA-256 .*\)$/m,
    );
    await expectReady(env);
    expect(server.requests.map(({ path: name }) => name)).toEqual(['/test-labels.gz']);
  });

  it('a damaged folder of the machine, leaving it out with a notice', async () => {
    const machine = path.join(work, 'machine');
    await mkdir(machine);
    writeFiles(machine, payload, { 'train-labels': Buffer.alloc(3) });
    const { stdout, stderr } = await runProgram(['data'], { env: environment(http(await serve()), [machine]) });
    expect(stderr).toContain(
      `Fashion-MNIST: leaving out ${machine} (Cannot use ${machine}/train-labels: expected 1008 bytes, got 3)`,
    );
    expect(stdout).toMatch(READY);
  });
});

describe('fetching gives up with words', () => {
  it('when no source works, naming each', async () => {
    const [first, second] = [await serve(() => ({ status: 403 })), await serve(() => ({ status: 404 }))];
    const { code, stderr } = await runProgram(['data'], { env: environment(http(first, second)) });
    expect(stderr).toContain(
      `Cannot get Fashion-MNIST: expected one source to work, got ${first.url}/: Cannot download ${first.url}${big}: expected the file, got HTTP status 403; ${second.url}/: Cannot`,
    );
    expect(stderr).toContain(
      'hint: fetch the four files yourself and name their folder: --data-dir DIR (on Debian and Ubuntu: apt-get install dataset-fashion-mnist)',
    );
    expect(code).toBe(1);
  });

  it('when the disk is full, and works once there is room', async () => {
    const disk = path.join(work, 'disk');
    await mkdir(disk);
    const env = environment(http(await serve()));
    const script = `mount -t tmpfs -o size=600k tmpfs '${disk}' && exec '${process.execPath}' '${program}' data`;
    const { code, stderr } = await start('unshare', ['-rm', 'sh', '-c', script], {
      env: { ...env, XDG_CACHE_HOME: disk },
    }).result;
    expect(stderr).toMatch(
      /Cannot keep Fashion-MNIST in .*: expected room and permission, got no space left on the device\nhint: free some space, or choose another cache with XDG_CACHE_HOME\n$/,
    );
    expect(code).toBe(1);
    await expectReady(env);
  });

  it('when the cache cannot be made', async () => {
    writeFileSync(path.join(work, 'file'), '');
    const env = { ...environment(http(await serve())), XDG_CACHE_HOME: path.join(work, 'file') };
    const { code, stderr } = await runProgram(['data'], { env });
    expect(stderr).toMatch(
      /^Cannot keep Fashion-MNIST in .*fashion-mnist: expected room and permission, got a file where a folder belongs\nhint: free some space, or choose another cache with XDG_CACHE_HOME\n$/,
    );
    expect(code).toBe(1);
  });

  it('when nothing comes any more', async () => {
    const server = await serve(() => ({ body: bigFile, stallAfter: 100 }));
    const patience = { tries: 2, backoff: 1, silence: 500 };
    await expect(download(`${server.url}${big}`, { limit: 1e6, ...patience })).rejects.toThrow(
      `Cannot download ${server.url}${big}: expected the file, got too little data for too long`,
    );
    expect(server.requests).toHaveLength(2);
  });

  it('when the manifest is none', async () => {
    writeFileSync(path.join(work, 'm'), '{}');
    const { stderr } = await runProgram(['data'], { env: { BN_TRAIN_DATA_MANIFEST: path.join(work, 'm') } });
    expect(stderr).toBe(
      `Cannot read the manifest ${work}/m: expected files, sources and folders as in data/fashion-mnist.json, got a part is missing\n`,
    );
  });
});

describe('--data-dir', () => {
  const data = (folder: string) => runProgram(['data', '--data-dir', folder], { env: environment([]) });

  it('takes unpacked and packed files', async () => {
    for (const [name, bytes] of payload.files)
      writeFileSync(
        path.join(work, name.startsWith('train') ? name : `${name}.gz`),
        name.startsWith('train') ? bytes : gzipSync(bytes),
      );
    expect((await data(work)).stdout).toBe(
      `Fashion-MNIST is ready: 1000 + 20 images of 28×28 in 10 classes, from ${work}\n`,
    );
  });

  it('is an error where a file is missing or damaged; nothing else is looked at', async () => {
    expect(await data(work)).toMatchObject({
      code: 2,
      stderr: `Cannot read Fashion-MNIST from ${work}: expected train-images, train-labels, test-images, test-labels (or .gz), got no train-images, train-labels, test-images, test-labels\nhint: name a folder that has them, or leave --data-dir out\n`,
    });
    writeFiles(work, payload, { 'train-images': Buffer.alloc(784_016) });
    const { code, stderr } = await data(work);
    expect(stderr).toMatch(
      /^Cannot use .*train-images: expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}\nhint: fetch the data set again from where it came\n$/,
    );
    expect(code).toBe(1);
  });
});

describe('the real data set', () => {
  it('has 60,000 and 10,000 images, as many of each class', async () => {
    const { train, test } = await loadFashionMnist();
    const histogram = (labels: Uint8Array) =>
      labels.reduce<number[]>((counts, label) => ((counts[label] = (counts[label] ?? 0) + 1), counts), []);
    expect([train.count, train.height, train.width, test.count]).toEqual([60_000, 28, 28, 10_000]);
    expect(histogram(train.labels)).toEqual(Array(10).fill(6000));
    expect(histogram(test.labels)).toEqual(Array(10).fill(1000));
  });
});

describe('a signal ends', () => {
  const waitFor = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  /** Loads in this process, in the environment of the others; `begun` tells when to stop it. */
  async function stopped(env: Record<string, string>, begun: () => boolean): Promise<unknown> {
    const before = { ...process.env };
    Object.assign(process.env, env);
    const controller = new AbortController();
    const notices: string[] = [];
    const listener = { ...silent, notice: (line: string) => void notices.push(line) };
    try {
      const loading = loadFashionMnist({ listener, signal: controller.signal }).catch((error: unknown) => error);
      await waitFor(() => begun() || notices.some((line) => line.includes('waiting for process')));
      controller.abort();
      const error = await loading;
      expect(error).toBe(controller.signal.reason);
      return error;
    } finally {
      process.env = before;
    }
  }

  it('a download that has come to a halt, which is not tried again, and the lock is free', async () => {
    const server = await serve(() => ({ body: bigFile, stallAfter: 100 }));
    await stopped(environment(http(server)), () => server.requests.length > 0);
    expect(server.requests).toHaveLength(1);
    await expectReady(environment(http(await serve())));
  });

  it('the pause before another try', async () => {
    const server = await serve(() => ({ status: 500 }));
    await stopped(environment(http(server)), () => server.requests.length > 1);
    expect(server.requests).toHaveLength(2);
  });

  it('the wait for another process', async () => {
    const server = await serve(() => ({ body: bigFile, stallAfter: 100 }));
    const env = environment(http(server));
    const other = startProgram(['data'], { env });
    await waitFor(() => server.requests.length > 0);
    await stopped(env, () => false);
    other.child.kill('SIGKILL');
    await other.result;
    expect(server.requests).toHaveLength(1);
  });

  it('apt, with what it has begun', async () => {
    const bin = path.join(work, 'bin');
    await mkdir(bin);
    writeFileSync(path.join(bin, 'apt-get'), `#!/bin/sh\necho > '${work}/begun'\nexec sleep 60\n`, { mode: 0o755 });
    const source: Source = { kind: 'debian', package: 'some', folder: 'usr' };
    const env = { ...environment([source]), PATH: `${bin}:${process.env['PATH'] ?? ''}` };
    await stopped(env, () => readdirSync(work).includes('begun'));
    expect(readdirSync(cache())).toEqual([]);
  });
});

describe('a Debian package is not to be had', () => {
  const source: Source = { kind: 'debian', package: 'some', folder: 'usr' };
  const apt = (script: string) => {
    writeFileSync(path.join(work, 'apt-get'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return runProgram(['data'], { env: { ...environment([source]), PATH: `${work}:${process.env['PATH'] ?? ''}` } });
  };
  it.each([
    { what: 'apt-get fails', script: 'echo one >&2; echo E: no such package >&2; exit 100', got: 'E: no such package' },
    { what: 'apt-get fails in silence', script: 'exit 100', got: 'a failure' },
  ])('where $what', async ({ script, got }) => {
    const { code, stderr } = await apt(script);
    expect(stderr).toContain(`Cannot download the Debian package some: expected apt-get to work, got ${got}`);
    expect(code).toBe(1);
  });

  it('where apt-get leaves nothing', async () => {
    expect((await apt('exit 0')).stderr).toContain(
      'Cannot download the Debian package some: expected a .deb file, got none',
    );
  });

  it('where there is no apt-get, which is asked for once', async () => {
    const env = { ...environment([source]), PATH: work };
    const { stderr } = await runProgram(['data'], { env });
    expect(stderr).toContain('Cannot download the Debian package some: expected apt-get to work, got no such command');
  });
});
