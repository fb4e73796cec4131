/**
 * Parses the fields of an ELF header that decide whether the kernel can start the file: type, machine and loader
 * (https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html). Reads no files; the rest of the format is in
 * `elf.ts`.
 */

export type ElfHeader = {
  readonly machine: number;
  /** Whether it is an executable, position-independent or not. */
  readonly isProgram: boolean;
  /** Where the file holds the path of its loader, in bytes; undefined for a static program. */
  readonly loader: { readonly offset: number; readonly length: number } | undefined;
};

/** `process.arch` -> the machines (EM_*) whose programs it runs, for the architectures of Lambda. */
export const ELF_MACHINES: Readonly<Record<string, readonly number[]>> = {
  // An x86-64 kernel also runs 32-bit x86 programs.
  x64: [62, 3],
  arm64: [183],
};

const ET_EXEC = 2;
const ET_DYN = 3;
const PT_INTERP = 3;

/** Whether these bytes begin like any ELF file. */
export function isElf(start: Buffer): boolean {
  return start.length >= 4 && start.readUInt32BE(0) === 0x7f454c46;
}

/**
 * Parses the beginning of a file, about a page of it. Returns undefined if it is too short, not ELF, or not in a byte
 * order and class that Lambda's machines have.
 */
export function parseElfHeader(start: Buffer): ElfHeader | undefined {
  if (!isElf(start) || start.length < 52) return undefined;
  const is64 = start[4] === 2;
  // 1: little-endian, as all of Lambda's machines are.
  const isKnown = (is64 || start[4] === 1) && start[5] === 1;
  if (!isKnown || (is64 && start.length < 64)) return undefined;
  const type = start.readUInt16LE(16);
  return {
    machine: start.readUInt16LE(18),
    isProgram: type === ET_EXEC || type === ET_DYN,
    loader: findLoader(start, is64),
  };
}

function findLoader(start: Buffer, is64: boolean): ElfHeader['loader'] {
  const table = is64 ? Number(start.readBigUInt64LE(32)) : start.readUInt32LE(28);
  const size = start.readUInt16LE(is64 ? 54 : 42);
  const count = start.readUInt16LE(is64 ? 56 : 44);
  for (let index = 0; index < count; index++) {
    const at = table + index * size;
    if (at + (is64 ? 56 : 32) > start.length) return undefined;
    if (start.readUInt32LE(at) !== PT_INTERP) continue;
    return is64
      ? { offset: Number(start.readBigUInt64LE(at + 8)), length: Number(start.readBigUInt64LE(at + 32)) }
      : { offset: start.readUInt32LE(at + 4), length: start.readUInt32LE(at + 16) };
  }
  return undefined;
}
