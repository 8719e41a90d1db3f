/** Reads files that come from outside: regular ones within a bound, and JSON objects out of them. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { cannot, messageOf, shown } from './errors.js';

/** The most bytes that a file of settings or of a run's description may have. */
export const JSON_LIMIT = 2 ** 20;

/**
 * The content of a regular file of at most `limit` bytes. Throws the file system's error, or an Error that says what is
 * there instead; folders, pipes and devices are never read, as some of them have no end. The content stands `lead` bytes
 * into its memory.
 */
export async function readBounded(file: string, limit: number, lead = 0): Promise<Buffer> {
  // Opening a pipe that nobody writes to would wait for ever.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(stats.isDirectory() ? 'a folder' : 'a pipe or a device');
    if (stats.size > limit) throw new Error(`${stats.size} bytes where at most ${limit} belong`);
    const content = Buffer.alloc(lead + stats.size).subarray(lead);
    let length = 0;
    for (let read = -1; read !== 0 && length < content.length; length += read)
      read = (await handle.read(content, length)).bytesRead;
    return content.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** The JSON object that `content` is. Throws a BnTrainError that names `file` and what was `expected`. */
export function parseObject(content: string, file: string, expected?: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw cannot(`read ${file}`, { expected: expected ?? 'JSON', got: messageOf(error), cause: error });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw cannot(`read ${file}`, { expected: expected ?? 'a JSON object', got: shown(value) });
}
