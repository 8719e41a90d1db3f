/** Archives by hand, as no tool writes the names that the hostile ones have: tar, Debian's ar, zip. */
import { gzipSync } from 'node:zlib';

export interface Member {
  name: string;
  content?: string | Uint8Array;
  /** What a link names; a symbolic one unless `hard`. */
  link?: string;
  hard?: boolean;
}

const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;

function tarMember({ name, content = '', link = '', hard = false }: Member): Buffer {
  const bytes = Buffer.from(content);
  const kind = link === '' ? '0' : hard ? '1' : '2';
  const header = Buffer.alloc(512);
  const fields: [number, string][] = [
    [0, name],
    [100, octal(0o755, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(bytes.length, 12)],
    [136, octal(0, 12)],
    [148, ' '.repeat(8)],
    [156, kind],
    [157, link],
    [257, 'ustar\x0000'],
  ];
  for (const [offset, text] of fields) header.write(text, offset);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  return Buffer.concat([header, bytes, Buffer.alloc(-bytes.length & 511)]);
}

export function tar(members: Member[]): Buffer {
  return Buffer.concat([...members.map(tarMember), Buffer.alloc(1024)]);
}

/** A Debian package with these files, and these scripts to be run when it is installed. */
export function deb(members: Member[], scripts: Member[] = []): Buffer {
  const control = { name: './control', content: 'Package: x\nVersion: 1\nArchitecture: all\n' };
  const parts: [string, Buffer][] = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(tar([control, ...scripts]))],
    ['data.tar.gz', gzipSync(tar(members))],
  ];
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    ...parts.flatMap(([name, bytes]) => [
      Buffer.from(`${name.padEnd(16)}${'0'.padEnd(12)}0     0     100644  ${`${bytes.length}`.padEnd(10)}\`\n`),
      bytes,
      Buffer.alloc(bytes.length & 1, '\n'),
    ]),
  ]);
}

/** A zip file, nothing compressed; links are kept as Unix keeps them. */
export function zip(members: Member[]): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const { name, content = '', link } of members) {
    const [nameBytes, bytes] = [Buffer.from(name), Buffer.from(link ?? content)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    // gzip keeps the same checksum, and the length, in its last eight bytes.
    gzipSync(bytes).subarray(-8, -4).copy(common, 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const entry = Buffer.alloc(46);
    entry.write('PK\x01\x02\x14\x03', 'latin1');
    common.copy(entry, 6);
    entry.writeUInt32LE(((link === undefined ? 0o100755 : 0o120777) << 16) >>> 0, 38);
    entry.writeUInt32LE(offset, 42);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, bytes]);
    locals.push(local);
    entries.push(entry, nameBytes);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
