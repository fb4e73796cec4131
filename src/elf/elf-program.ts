/**
 * Renders a program: a static executable of one segment with machine code and read-only data, for the few system calls
 * that neither Node nor the tools of every Linux can make. It needs no loader and no library. The caller brings the code.
 * Layout: the System V ABI, chapters 4 and 5.
 */
import type { ElfFile } from './elf.ts';

/** ELF's machine numbers of the supported architectures. */
const MACHINES: Partial<Record<ElfFile['architecture'], number>> = { x86_64: 62, arm64: 183 };
const HEADERS_SIZE = 64 + 2 * 56;
/** A multiple of the largest page size. */
const BASE = 0x400000;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;

/** Address of the first byte of the code when the program runs. */
export const CODE_ADDRESS = BASE + HEADERS_SIZE;

/** Renders the file. `code` starts at `CODE_ADDRESS`, where the program also begins to run. */
export function renderProgram(architecture: ElfFile['architecture'], code: Buffer): Buffer {
  const machine = MACHINES[architecture];
  if (machine === undefined) throw new Error(`Programs cannot be rendered for the architecture ${architecture}`);
  const headers = Buffer.alloc(HEADERS_SIZE);
  headers.write('\x7fELF\x02\x01\x01', 'latin1');
  headers.writeUInt16LE(2, 16); // ET_EXEC
  headers.writeUInt16LE(machine, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(BigInt(CODE_ADDRESS), 24);
  headers.writeBigUInt64LE(64n, 32); // The program headers follow.
  headers.writeUInt16LE(64, 52);
  headers.writeUInt16LE(56, 54);
  headers.writeUInt16LE(2, 56);
  const size = BigInt(HEADERS_SIZE + code.length);
  const segment = (at: number, type: number, flags: number, fields: readonly bigint[]): void => {
    headers.writeUInt32LE(type, at);
    headers.writeUInt32LE(flags, at + 4);
    for (const [index, field] of fields.entries()) headers.writeBigUInt64LE(field, at + 8 + 8 * index);
  };
  segment(64, PT_LOAD, 0b101, [0n, BigInt(BASE), BigInt(BASE), size, size, 0x10000n]);
  segment(120, PT_GNU_STACK, 0b110, []);
  return Buffer.concat([headers, code]);
}
