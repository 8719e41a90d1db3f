/** A loopback HTTP server whose answers a test scripts, faults included. */
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** A file to send instead of `body`. */
  file?: string;
  /** Ends the connection after so many bytes of the body, though the length promised more. */
  cutAfter?: number;
  /** Sends so many bytes and then nothing more, with the connection open. */
  stallAfter?: number;
  /** Sent as it stands instead of an answer, after which the connection ends. */
  raw?: string | Uint8Array;
  /** Sends the body in pieces, this many bytes each 10 ms. */
  trickle?: number;
}

export interface Request {
  path: string;
}

export interface Server {
  url: string;
  requests: Request[];
  close: () => Promise<void>;
}

/** Answers every request with `reply(request, number of earlier requests for the same path)`. */
export async function startServer(reply: (request: Request, earlier: number) => Reply): Promise<Server> {
  const requests: Request[] = [];
  const server = createServer((incoming, response) => {
    const request = { path: incoming.url ?? '/' };
    const earlier = requests.filter((other) => other.path === request.path).length;
    requests.push(request);
    void answer(incoming, response, reply(request, earlier));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(incoming: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  if (reply.raw !== undefined) return void response.socket?.end(reply.raw);
  const size = reply.file === undefined ? Buffer.byteLength(reply.body ?? '') : statSync(reply.file).size;
  response.writeHead(reply.status ?? 200, { 'content-length': size, ...reply.headers });
  if (incoming.method === 'HEAD') return void response.end();
  const limit = reply.cutAfter ?? reply.stallAfter ?? size;
  const gone = once(response, 'close');
  let sent = 0;
  for await (const chunk of chunks(reply)) {
    const piece = chunk.subarray(0, limit - sent);
    sent += piece.length;
    if (!response.write(piece)) await Promise.race([once(response, 'drain'), gone]);
    if (reply.trickle !== undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    if (sent >= limit || response.destroyed) break;
  }
  if (reply.cutAfter !== undefined) response.destroy();
  else if (reply.stallAfter === undefined) response.end();
}

function chunks(reply: Reply): AsyncIterable<Buffer> {
  if (reply.file !== undefined && reply.trickle === undefined) return createReadStream(reply.file);
  if (reply.file !== undefined) return createReadStream(reply.file, { highWaterMark: reply.trickle });
  const body = Buffer.from(reply.body ?? '');
  const step = reply.trickle ?? (body.length || 1);
  const pieces: Buffer[] = [];
  for (let i = 0; i < body.length; i += step) pieces.push(body.subarray(i, i + step));
  return Readable.from(pieces);
}
