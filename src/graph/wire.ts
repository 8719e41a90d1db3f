/** Protocol buffers' wire format, as much as a SavedModel needs: varints, floats, and length-delimited fields. */

type Part = Uint8Array | readonly Part[];

const [VARINT, LENGTH, FIXED32] = [0, 2, 5];
const utf8 = new TextEncoder();

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  // Negative numbers are written as 64-bit two's complement.
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** An int, enum or bool field. */
export function int(field: number, value: number | boolean): Uint8Array {
  return join([varint((field << 3) | VARINT), varint(Number(value))]);
}

export function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return join([varint((field << 3) | FIXED32), bytes]);
}

/** A string, bytes or embedded message field. */
export function bytes(field: number, value: string | Part): Uint8Array {
  const content = typeof value === 'string' ? utf8.encode(value) : join(value);
  return join([varint((field << 3) | LENGTH), varint(content.length), content]);
}

/** A repeated field. */
export function each<T>(values: Iterable<T>, encode: (value: T) => Uint8Array): Uint8Array {
  return join([...values].map(encode));
}

/** A map field from strings to messages. */
export function map(field: number, entries: Iterable<readonly [string, Part]>): Uint8Array {
  return each(entries, ([key, message]) => bytes(field, [bytes(1, key), bytes(2, message)]));
}

export function join(part: Part): Uint8Array {
  return part instanceof Uint8Array ? part : Buffer.concat(part.map(join));
}
