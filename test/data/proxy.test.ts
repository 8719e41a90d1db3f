import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { download } from '../../src/data/download.js';
import { proxyFor } from '../../src/data/proxy.js';
import { runProgram } from '../support/program.js';
import { type Server, startServer } from '../support/server.js';
import { makePayload } from './payload.js';

describe('the environment names a proxy', () => {
  const http = 'http://data.example.org/x.gz';
  const https = 'https://data.example.org/x.gz';
  const proxy = 'http://proxy:3128';
  it.each<{ url: string; env: Record<string, string>; to: string | undefined }>([
    { url: http, env: {}, to: undefined },
    { url: http, env: { HTTP_PROXY: proxy }, to: 'proxy:3128' },
    { url: http, env: { http_proxy: proxy }, to: 'proxy:3128' },
    { url: http, env: { http_proxy: 'http://lower:1', HTTP_PROXY: proxy }, to: 'lower:1' },
    { url: http, env: { http_proxy: '', HTTP_PROXY: proxy }, to: 'proxy:3128' },
    { url: http, env: { HTTPS_PROXY: proxy }, to: undefined },
    { url: https, env: { HTTP_PROXY: proxy }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy }, to: 'proxy:3128' },
    { url: https, env: { https_proxy: 'proxy:3128' }, to: 'proxy:3128' },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: '*' }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: 'other, data.example.org' }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy, no_proxy: 'Example.ORG' }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: '.example.org' }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: '*.example.org' }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: 'example.org:443' }, to: undefined },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: 'example.org:80' }, to: 'proxy:3128' },
    { url: https, env: { HTTPS_PROXY: proxy, NO_PROXY: 'ample.org,ata.example.org' }, to: 'proxy:3128' },
    { url: 'http://[::1]:80/x', env: { HTTP_PROXY: proxy, NO_PROXY: '::1' }, to: undefined },
    { url: 'http://[::1]:81/x', env: { HTTP_PROXY: proxy, NO_PROXY: '[::1]:81' }, to: undefined },
    { url: 'http://127.0.0.1:8080/x', env: { HTTP_PROXY: proxy, NO_PROXY: 'localhost 127.0.0.1' }, to: undefined },
  ])('$url by $env: $to', ({ url, env, to }) => {
    expect(proxyFor(new URL(url), env)?.host).toBe(to);
  });

  it.each([
    { value: 'socks5://me:secret@proxy:1080', got: '"socks5://proxy:1080"' },
    { value: 'http://me:secret@:', got: '"http://:"' },
  ])('and $value is refused, its password unsaid', ({ value, got }) => {
    expect(() => proxyFor(new URL(https), { HTTPS_PROXY: value })).toThrow(
      expect.objectContaining({
        message: `Cannot use the proxy in HTTPS_PROXY: expected an address as http://HOST:PORT, got ${got}`,
        hint: 'mend HTTPS_PROXY or unset it',
      }) as Error,
    );
  });
});

describe('the download goes through it', () => {
  const payload = makePayload();
  const work = mkdtempSync(path.join(tmpdir(), 'bn-train-proxy-'));
  const asked: string[] = [];
  const open: (Server | NetServer)[] = [];
  let plain: string;
  let secure: string;
  let proxy: string;
  const certificate = path.join(work, 'certificate.pem');

  /** What people set a proxy up as: it asks for plain addresses itself, and tunnels to encrypted ones. */
  const startProxy = () =>
    createServer((incoming, response) => {
      asked.push(`${incoming.method} ${new URL(incoming.url ?? '').origin}`);
      if (incoming.headers['proxy-authorization'] === undefined) return void response.writeHead(407).end();
      request(incoming.url ?? '', (from) => {
        response.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(response);
      }).end();
    }).on('connect', (incoming, socket, head: Buffer) => {
      asked.push(`CONNECT ${incoming.url}`);
      if (incoming.headers['proxy-authorization'] === undefined)
        return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      const [host, port] = (incoming.url ?? '').split(':');
      const target = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        target.write(head);
        target.pipe(socket).pipe(target);
      });
      for (const end of [socket, target]) end.on('error', () => (socket.destroy(), target.destroy()));
    });
  const listen = (server: NetServer) =>
    new Promise<string>((resolve) => {
      open.push(server);
      server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`));
    });

  beforeAll(async () => {
    const key = path.join(work, 'key.pem');
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...subject],
      {
        stdio: 'ignore',
      },
    );
    const answer = (name: string) => payload.packed.get(name);
    const server = await startServer(({ path: name }) => ({ body: answer(name) ?? '' }));
    open.push(server);
    plain = server.url;
    const tls = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (incoming, response) =>
      response.end(answer(incoming.url ?? '')),
    );
    secure = `https://${await listen(tls)}`;
    proxy = `me:secret@${await listen(startProxy())}`;
  });
  beforeEach(() => void asked.splice(0));
  afterAll(async () => {
    for (const server of open) await server.close();
    await rm(work, { recursive: true });
  });

  let runs = 0;
  const fetchFrom = (base: string, env: Record<string, string>) => {
    const manifest = path.join(work, 'manifest.json');
    writeFileSync(manifest, JSON.stringify(payload.manifest([{ kind: 'http', url: `${base}/` }])));
    const home = { BN_TRAIN_DATA_MANIFEST: manifest, XDG_CACHE_HOME: path.join(work, `run-${runs++}`) };
    return runProgram(['data'], {
      env: { ...home, NODE_EXTRA_CA_CERTS: certificate, NO_PROXY: '', no_proxy: '', ...env },
    });
  };

  it('for HTTP, which the proxy asks for itself', async () => {
    const { code, stderr } = await fetchFrom(plain, { HTTP_PROXY: `http://${proxy}` });
    expect(code, stderr).toBe(0);
    expect(asked).toEqual(Array(4).fill(`GET ${plain}`));
    expect(stderr).not.toContain('arning');
  });

  it('for HTTPS, through a tunnel', async () => {
    const { code, stderr } = await fetchFrom(secure, { https_proxy: `http://${proxy}` });
    expect(code, stderr).toBe(0);
    expect(asked).toEqual(Array(4).fill(`CONNECT ${new URL(secure).host}`));
  });

  it.each(['NO_PROXY', 'no_proxy'])('and not where %s has the host', async (name) => {
    const env = { HTTP_PROXY: `http://${proxy}`, HTTPS_PROXY: `http://${proxy}`, [name]: 'localhost,127.0.0.1' };
    for (const base of [plain, secure]) expect(await fetchFrom(base, env)).toMatchObject({ code: 0 });
    expect(asked).toEqual([]);
  });

  it.each([
    { what: 'asks for a password', url: () => plain, got: 'fetch failed (Proxy Authentication Required (407))' },
    {
      what: 'asks for a password in a tunnel',
      url: () => secure,
      got: 'fetch failed (Proxy response (407) !== 200 when HTTP Tunneling)',
    },
    { what: 'is not there', at: '127.0.0.1:9', url: () => plain, got: 'fetch failed (ECONNREFUSED)' },
  ])('and where it $what, the error names it', async ({ url, at, got }) => {
    const host = at ?? proxy.replace(/.*@/, '');
    process.env['HTTP_PROXY'] = process.env['HTTPS_PROXY'] = `http://${host}`;
    try {
      await expect(download(`${url()}/x`, { limit: 10, tries: 2, backoff: 1 })).rejects.toMatchObject({
        message: `Cannot download ${url()}/x: expected the file through the proxy ${host}, got ${got}`,
        hint: 'check the connection and the proxy, then: bn-train data',
      });
    } finally {
      delete process.env['HTTP_PROXY'];
      delete process.env['HTTPS_PROXY'];
    }
  });
});
