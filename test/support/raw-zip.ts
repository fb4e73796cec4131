/**
 * Writes zip archives byte by byte, so that tests can set every field to a wrong value. For archives that no real tool writes.
 */
import { crc32, deflateRawSync } from 'node:zlib';

export type RawEntry = {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** The Unix mode with the file type, e.g. 0o120777. Undefined leaves it out, as on Windows. */
  readonly mode?: number | undefined;
  /** 0 stored, 8 deflated (default). */
  readonly method?: number;
  readonly flags?: number;
  /** Wrong values for the central directory. */
  readonly claims?: { readonly crc32?: number; readonly size?: number; readonly packedSize?: number };
  /** Compressed bytes to use unchanged. */
  readonly packed?: Buffer;
};

/** A zip archive of these entries, in this order. */
export function rawZip(entries: readonly RawEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const content = Buffer.from(entry.content ?? '');
    const method = entry.method ?? 8;
    const packed = entry.packed ?? (method === 8 ? deflateRawSync(content) : content);
    const fields = Buffer.alloc(16);
    fields.writeUInt32LE(0x21 << 16, 0);
    fields.writeUInt32LE(entry.claims?.crc32 ?? crc32(content), 4);
    fields.writeUInt32LE(entry.claims?.packedSize ?? packed.length, 8);
    fields.writeUInt32LE(entry.claims?.size ?? content.length, 12);

    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(entry.flags ?? 0, 6);
    local.writeUInt16LE(method, 8);
    fields.copy(local, 10);
    local.writeUInt16LE(name.length, 26);

    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(((entry.mode === undefined ? 0 : 3) << 8) | 20, 4);
    central.writeUInt16LE(20, 6);
    central.writeUInt16LE(entry.flags ?? 0, 8);
    central.writeUInt16LE(method, 10);
    fields.copy(central, 12);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 38);
    central.writeUInt32LE(offset, 42);

    parts.push(local, name, packed);
    directory.push(central, name);
    offset += local.length + name.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
