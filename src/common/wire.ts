/** Protocol buffers' wire format, written field by field; which fields there are is the caller's. */

const [VARINT, FIXED64, LENGTH, FIXED32] = [0, 1, 2, 5];

/** A message under construction, one character per byte: of all that V8 joins, strings cost least. */
export type Wire = string;

function varint(value: number | bigint): Wire {
  if (typeof value === 'number' && value >= 0 && value < 128) return String.fromCharCode(value);
  const bytes: number[] = [];
  // Negative numbers are written as 64-bit two's complement.
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return String.fromCharCode(...bytes, Number(rest));
}

/** An int, enum or bool field. */
export function int(field: number, value: number | boolean): Wire {
  return varint((field << 3) | VARINT) + varint(Number(value));
}

export function float(field: number, value: number): Wire {
  const content = Buffer.alloc(4);
  content.writeFloatLE(value);
  return varint((field << 3) | FIXED32) + content.toString('latin1');
}

export function double(field: number, value: number): Wire {
  return varint((field << 3) | FIXED64) + doubles([value]);
}

/** Values as they stand one after the other in a packed field, or in a tensor's content. */
export function doubles(values: readonly number[]): Wire {
  const content = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) content.writeDoubleLE(value, 8 * i);
  return content.toString('latin1');
}

/** An embedded message, or bytes. */
export function message(field: number, content: Wire): Wire {
  return varint((field << 3) | LENGTH) + varint(content.length) + content;
}

export function text(field: number, value: string): Wire {
  return message(field, Buffer.from(value).toString('latin1'));
}

/** A repeated field. */
export function each<T>(values: Iterable<T>, encode: (value: T) => Wire): Wire {
  return Array.from(values, (value) => encode(value)).join('');
}

/** A map field from strings to messages. */
export function map(field: number, entries: Iterable<readonly [string, Wire]>): Wire {
  return each(entries, ([key, content]) => message(field, text(1, key) + message(2, content)));
}
