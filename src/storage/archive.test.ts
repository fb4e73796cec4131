import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { type RawEntry, rawZip } from '../../test/support/raw-zip.ts';
import { type ArchiveProblem, unpackArchive } from './archive.ts';

const LIMITS = { unpackedBytes: 1_000_000, entries: 1000 };
const LINK = 0o120777;

let workspace: string;
beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'lamella-archive-'));
});
afterEach(() => rm(workspace, { recursive: true }));

const target = () => join(workspace, 'tree');
const unpack = (zip: Buffer, limits: Partial<typeof LIMITS> = {}) =>
  unpackArchive(zip, { target: target(), staging: join(workspace, 'staging'), limits: { ...LIMITS, ...limits } });
const zipOf = (fill: (zip: ZipFile) => void) => {
  const zip = new ZipFile();
  fill(zip);
  zip.end();
  return buffer(zip.outputStream);
};
/** Entries whose data is all in the first one: 50,000 empty deflate blocks, which unpack to nothing. */
const overlapping = (count: number) => {
  const packed = Buffer.concat([...Array.from({ length: 50_000 }, () => EMPTY_BLOCK), Buffer.of(3, 0)]);
  const zip = rawZip([
    { name: '0', packed },
    ...Array.from({ length: count - 1 }, (_, i) => ({ name: `${i + 1}`, claims: { packedSize: packed.length } })),
  ]);
  for (let at = zip.indexOf('PK\x01\x02'); at >= 0; at = zip.indexOf('PK\x01\x02', at + 1))
    zip.writeUInt32LE(0, at + 42);
  return zip;
};
const EMPTY_BLOCK = Buffer.of(0, 0, 0, 0xff, 0xff);
const modeOf = (name: string) => lstatSync(join(target(), name)).mode & 0o7777;

describe('unpackArchive', () => {
  it('unpacks files, directories and links with their modes', async () => {
    const large = Buffer.alloc(5_000_000, 'abc');
    const result = await unpack(
      await zipOf((zip) => {
        zip.addEmptyDirectory('empty');
        zip.addBuffer(Buffer.from('#!/bin/sh\n'), 'bin/run', { mode: 0o100755 });
        zip.addBuffer(Buffer.from('x'), 'secret', { mode: 0o100600 });
        zip.addBuffer(large, 'größe.txt', { mode: 0o100644 });
        zip.addBuffer(Buffer.from('bin/run'), 'bootstrap', { mode: LINK });
      }),
      { unpackedBytes: 10_000_000 },
    );

    expect(result).toEqual({ files: 3, bytes: 5_000_000 + 1 + 10 });
    expect(readdirSync(target()).sort()).toEqual(['bin', 'bootstrap', 'empty', 'größe.txt', 'secret']);
    expect(readlinkSync(join(target(), 'bootstrap'))).toBe('bin/run');
    expect(readFileSync(join(target(), 'größe.txt')).equals(large)).toBe(true);
    expect([modeOf('bin/run'), modeOf('secret'), modeOf('.'), modeOf('bin')]).toEqual([0o755, 0o600, 0o755, 0o755]);
  });

  it('makes files without a Unix mode readable and not executable', async () => {
    await unpack(rawZip([{ name: 'bootstrap', content: '#!/bin/sh' }]));
    expect(modeOf('bootstrap')).toBe(0o644);
  });

  it('drops set-id bits and makes directories accessible to their owner', async () => {
    await unpack(
      rawZip([
        { name: 'd/', mode: 0o040055, method: 0 },
        { name: 'd/tool', content: 'x', mode: 0o106755 },
        { name: 'implied/x', content: 'x', mode: 0o100644 },
      ]),
    );
    expect([modeOf('d'), modeOf('d/tool'), modeOf('implied')]).toEqual([0o755, 0o755, 0o755]);
  });

  it('reads zip64 archives', async () => {
    await unpack(await zipOf((zip) => zip.addBuffer(Buffer.from('hello'), 'a', { forceZip64Format: true })));
    expect(readFileSync(join(target(), 'a'), 'utf8')).toBe('hello');
  });

  it('unpacks an entry that was piped into the zip program as a file', async () => {
    await unpack(rawZip([{ name: '-', content: 'hello', mode: 0o010600 }]));
    expect(readFileSync(join(target(), '-'), 'utf8')).toBe('hello');
  });

  it('accepts names with a leading ./ and a directory that is listed twice', async () => {
    await unpack(
      rawZip([
        { name: './', method: 0 },
        { name: './a/', method: 0 },
        { name: 'a//b', content: '1' },
        { name: 'a/', method: 0 },
      ]),
    );
    expect(readFileSync(join(target(), 'a/b'), 'utf8')).toBe('1');
  });

  it('stores a backslash as part of the name', async () => {
    await unpack(
      rawZip([{ name: 'dir\\file.txt', content: 'x' }, { name: '..\\up' }, { name: 'C:\\' }, { name: 'C:/a' }]),
    );
    expect(readdirSync(target()).sort()).toEqual(['..\\up', 'C:', 'C:\\', 'dir\\file.txt']);
  });

  it.each<[string, RawEntry[]]>([
    [
      'in the same spelling',
      [
        { name: 'd/a', content: 'old', mode: 0o100755 },
        { name: 'd/a', content: 'newer' },
      ],
    ],
    [
      'in another spelling',
      [
        { name: './d//a', content: 'old' },
        { name: 'd/a', content: 'newer' },
      ],
    ],
    [
      'after a link',
      [
        { name: 'd/a', content: '/etc/passwd', mode: LINK },
        { name: 'd/a', content: 'newer' },
      ],
    ],
  ])('keeps the later of two files with one name, %s', async (_, entries) => {
    expect(await unpack(rawZip([...entries, { name: 'b', content: '1' }]))).toEqual({ files: 2, bytes: 6 });
    expect(lstatSync(join(target(), 'd/a')).isFile()).toBe(true);
    expect(readFileSync(join(target(), 'd/a'), 'utf8')).toBe('newer');
    expect(modeOf('d/a')).toBe(0o644);
  });

  it('keeps a link that comes after a file of its name', async () => {
    await unpack(
      rawZip([
        { name: 'a', content: 'old' },
        { name: 'a', content: 'b', mode: LINK },
      ]),
    );
    expect(readlinkSync(join(target(), 'a'))).toBe('b');
  });

  it.each<[string, string]>([
    ['to a sibling', 'x'],
    ['to a sibling through its parent', '../d/x'],
    ['to a missing file', 'not/there'],
    ['to itself', 'link'],
    ['below a mount point', '/opt/lib/x'],
    ['to a program of the system', '/usr/bin/python3'],
    ['to the root', '/'],
    ['out of the archive', '../../../lib'],
    ['with a backslash', '..\\x'],
  ])('keeps a link %s, and does not follow it', async (_, destination) => {
    await unpack(rawZip([{ name: 'd/link', content: destination, mode: LINK }]));
    expect(readlinkSync(join(target(), 'd/link'))).toBe(destination);
  });

  it('reads an archive of links once, wherever they lead', async () => {
    const bytesRead = async (links: number) => {
      // Each link leads through the one before, hundreds of times. Following them takes 600 to the power of `links` steps.
      const zip = rawZip(
        Array.from({ length: links }, (_, i) => ({
          name: `l${i}`,
          content: i === 0 ? '.' : `l${i - 1}/`.repeat(600),
          mode: LINK,
        })),
      );
      let bytes = 0;
      const subarray = zip.subarray.bind(zip);
      zip.subarray = (...range) => {
        const part = subarray(...range);
        bytes += part.length;
        return part;
      };
      await unpack(zip);
      await rm(target(), { recursive: true });
      return bytes / zip.length;
    };
    const shares = [await bytesRead(40), await bytesRead(80), await bytesRead(160)];
    for (const share of shares) expect(share).toBeLessThanOrEqual(2);
  });

  const bomb = deflateRawSync(Buffer.alloc(8_000_000));
  const refused: [string, ArchiveProblem, Buffer][] = [
    ['no bytes', 'not-a-zip', Buffer.alloc(0)],
    ['a PDF', 'not-a-zip', Buffer.from('%PDF-1.4 and more of it, long enough to be a directory')],
    ['a missing end', 'not-a-zip', rawZip([{ name: 'a', content: 'x'.repeat(100) }]).subarray(0, -30)],
    ['no entries', 'empty', rawZip([])],
    ['..', 'unsafe-name', rawZip([{ name: '../a' }])],
    ['.. in the middle', 'unsafe-name', rawZip([{ name: 'a/../../b' }])],
    ['an absolute name', 'unsafe-name', rawZip([{ name: '/etc/passwd' }])],
    ['a null character', 'unsafe-name', rawZip([{ name: 'a\0b' }])],
    ['an empty name', 'unsafe-name', rawZip([{ name: '' }])],
    ['a part that is too long', 'unsafe-name', rawZip([{ name: 'a'.repeat(256) }])],
    ['too many parts', 'unsafe-name', rawZip([{ name: 'a/'.repeat(5000) }])],
    ['a file used as a directory', 'conflicting-names', rawZip([{ name: 'a' }, { name: 'a/b' }])],
    ['a directory used as a file', 'conflicting-names', rawZip([{ name: 'a/b' }, { name: 'a' }])],
    [
      'writing through a link',
      'conflicting-names',
      rawZip([
        { name: 'd', content: 'e', mode: LINK },
        { name: 'd/x', content: 'x' },
      ]),
    ],
    [
      'writing through a later link',
      'conflicting-names',
      rawZip([
        { name: 'd/x', content: 'x' },
        { name: 'd', content: 'e', mode: LINK },
      ]),
    ],
    [
      'replacing a link with a directory',
      'conflicting-names',
      rawZip([
        { name: 'd', content: '/tmp', mode: LINK },
        { name: 'd/', method: 0 },
      ]),
    ],
    ['an empty link', 'unusable-link', rawZip([{ name: 'a', content: '', mode: LINK }])],
    ['a link that is too long', 'unusable-link', rawZip([{ name: 'a', content: 'x/'.repeat(4000), mode: LINK }])],
    ['a link with a null character', 'unusable-link', rawZip([{ name: 'a', content: 'x\0y', mode: LINK }])],
    ['a device', 'unsupported-kind', rawZip([{ name: 'a', mode: 0o020666 }])],
    ['a socket', 'unsupported-kind', rawZip([{ name: 'a', mode: 0o140666 }])],
    ['an encrypted file', 'encrypted', rawZip([{ name: 'a', content: 'x', flags: 1 }])],
    ['another compression', 'unsupported-compression', rawZip([{ name: 'a', content: 'x', method: 12 }])],
    ['a wrong checksum', 'damaged', rawZip([{ name: 'a', content: 'x', claims: { crc32: 1 } }])],
    ['a size too small', 'damaged', rawZip([{ name: 'a', content: 'xyz', claims: { size: 2 } }])],
    ['a size too large', 'damaged', rawZip([{ name: 'a', content: 'xyz', claims: { size: 4 } }])],
    ['a size of 0', 'damaged', rawZip([{ name: 'a', packed: bomb, claims: { size: 0 } }])],
    ['a bomb that claims to be small', 'damaged', rawZip([{ name: 'a', packed: bomb, claims: { size: 10 } }])],
    ['a bomb with its true size', 'too-large', rawZip([{ name: 'a', packed: bomb, claims: { size: 8_000_000 } }])],
    [
      'many files that are too large together',
      'too-large',
      rawZip(Array.from({ length: 11 }, (_, i) => ({ name: `${i}`, content: Buffer.alloc(100_000) }))),
    ],
    [
      'entries that replace each other',
      'too-many-entries',
      rawZip(Array.from({ length: 1001 }, () => ({ name: 'a' }))),
    ],
    ['entries that share their data', 'damaged', overlapping(20)],
    ['too many entries', 'too-many-entries', rawZip(Array.from({ length: 1001 }, (_, i) => ({ name: `${i}` })))],
    ['invalid data', 'damaged', rawZip([{ name: 'a', packed: Buffer.alloc(50, 0xff), claims: { size: 100 } }])],
  ];
  it.each(refused)('refuses %s and leaves nothing behind', async (_, problem, zip) => {
    await expect(unpack(zip)).rejects.toMatchObject({ name: 'ArchiveError', problem });
    expect(readdirSync(workspace)).toEqual([]);
  });

  it('refuses a large entry that lies about its size or checksum, and leaves nothing behind', async () => {
    const content = Buffer.alloc(6_000_000, 'x');
    const lies: RawEntry['claims'][] = [{ size: 5_000_000 }, { size: 7_000_000 }, { crc32: 7 }];
    for (const claims of lies) {
      const zip = rawZip([
        { name: 'first', content: 'ok' },
        { name: 'a', content, ...(claims && { claims }) },
      ]);
      await expect(unpack(zip, { unpackedBytes: 10_000_000 })).rejects.toMatchObject({ problem: 'damaged' });
      expect(readdirSync(workspace)).toEqual([]);
    }
  });

  it('either unpacks a damaged archive completely or throws an ArchiveError', async () => {
    const intact = rawZip([
      { name: 'bin/', mode: 0o040755, method: 0 },
      { name: 'bin/a', content: 'alpha '.repeat(50), mode: 0o100755 },
      { name: 'link', content: 'bin/a', mode: LINK },
      { name: 'b', content: 'beta', method: 0, mode: 0o100644 },
    ]);
    let seed = 20_261_122;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 1500; round += 1) {
      const zip = Buffer.from(intact);
      for (let changes = 1 + random(3); changes > 0; changes -= 1) zip[random(zip.length)] = random(256);
      const cut = random(10) === 0 ? zip.subarray(0, random(zip.length)) : zip;
      const result = await unpack(cut).catch((failure: Error) => failure);
      if (result instanceof Error) {
        expect(result.name, `round ${round}: ${result.stack}`).toBe('ArchiveError');
        expect(readdirSync(workspace)).toEqual([]);
      } else {
        expect(readdirSync(workspace)).toEqual(['tree']);
        await rm(target(), { recursive: true });
      }
    }
  });
});
