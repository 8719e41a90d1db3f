/** TensorFlow's record files: each record framed by its length and two masked CRC32C, so that what is cut short is known. */

/** CRC-32C (Castagnoli, RFC 3720), reflected. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  return remainder;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** As records have it, whose content may hold checksums itself: turned right by 15 bits, plus a constant. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Of a length and its checksum before the content, and of the content's checksum after it. */
const [HEAD, TAIL] = [12, 4];

export function framed(content: Uint8Array): Buffer {
  const record = Buffer.alloc(HEAD + content.length + TAIL);
  record.writeBigUInt64LE(BigInt(content.length));
  record.writeUInt32LE(masked(record.subarray(0, 8)), 8);
  record.set(content, HEAD);
  record.writeUInt32LE(masked(content), HEAD + content.length);
  return record;
}

/** How many bytes a file's first records take, up to the first that is not whole or not wanted. */
export function lengthOfWanted(file: Buffer, isWanted: (content: Buffer) => boolean): number {
  let end = 0;
  for (;;) {
    const content = contentAt(file, end);
    if (!content || !isWanted(content)) return end;
    end += HEAD + content.length + TAIL;
  }
}

function contentAt(file: Buffer, start: number): Buffer | undefined {
  if (file.length < start + HEAD) return undefined;
  const length = file.subarray(start, start + 8);
  if (masked(length) !== file.readUInt32LE(start + 8)) return undefined;
  const end = start + HEAD + Number(length.readBigUInt64LE());
  if (file.length < end + TAIL) return undefined;
  const content = file.subarray(start + HEAD, end);
  return masked(content) === file.readUInt32LE(end) ? content : undefined;
}
