/**
 * The system calls that a function may not make, as a classic BPF program for seccomp. Pure. Everything else is allowed:
 * this refuses what namespaces do not separate, and is not a list of what a program needs.
 * - The keyrings are not separated by namespaces: without the filter, a function could use the keys of the user who
 *   started the service.
 * - New user namespaces would give a function capabilities, and with them parts of the kernel that it needs for nothing.
 * - bpf, userfaultfd and perf_event_open are refused by Docker's default profile too.
 * - Network namespaces do not separate VSOCK addresses: with `--network isolated`, a function could reach the machine's
 *   hypervisor and its services there. io_uring creates sockets without a system call for each, so a filter does not see them.
 *
 * The numbers are those of the kernel's tables (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h), and the
 * program's input is `struct seccomp_data`: https://docs.kernel.org/userspace-api/seccomp_filter.html
 */

type Calls = {
  readonly audit: number;
  /** Fail with EPERM. */
  readonly refused: readonly number[];
  /** Fail with EPERM if their first argument has CLONE_NEWUSER. */
  readonly withCloneFlags: readonly number[];
  /** Fails with EPERM if its first argument is AF_VSOCK. */
  readonly socket: number;
  /** Fail with ENOSYS, in addition to those that all architectures have in common. */
  readonly absent: readonly number[];
};

/**
 * io_uring_setup, io_uring_enter, io_uring_register, clone3: they have the same numbers in every architecture, and their
 * arguments are in memory, which a filter cannot read.
 */
const ABSENT = [425, 426, 427, 435] as const;
const CLONE_NEWUSER = 0x10000000;
const AF_VSOCK = 40;

/** keyctl, add_key, request_key, bpf, userfaultfd, perf_event_open; then unshare, clone; i386 also has socketcall. */
const X86_64: Calls = {
  audit: 0xc000003e,
  refused: [250, 248, 249, 321, 323, 298],
  withCloneFlags: [272, 56],
  socket: 41,
  absent: [],
};
const I386: Calls = {
  audit: 0x40000003,
  refused: [288, 286, 287, 357, 374, 336],
  withCloneFlags: [310, 120],
  socket: 359,
  absent: [102],
};
const ARM64: Calls = {
  audit: 0xc00000b7,
  refused: [219, 217, 218, 280, 282, 241],
  withCloneFlags: [97, 220],
  socket: 198,
  absent: [],
};
const ARM: Calls = {
  audit: 0x40000028,
  refused: [311, 309, 310, 386, 388, 364],
  withCloneFlags: [337, 120],
  socket: 281,
  absent: [],
};

/** The system call tables that a process of the architecture can use. */
const TABLES = { x86_64: [X86_64, I386], arm64: [ARM64, ARM] } as const;

/** x32 calls of x86_64 have this bit in their numbers. */
const X32_BIT = 0x40000000;

const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_SET = 0x45;
const RETURN = 0x06;
const NUMBER_AT = 0;
const AUDIT_AT = 4;
const FIRST_ARGUMENT_AT = 16;

const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const EPERM = ERRNO | 1;
/** Callers treat it as a kernel without the call, and use an older one: glibc clone, libuv and databases threads. */
const ENOSYS = ERRNO | 38;

/** code, jump if true, jump if false, operand. Jumps are relative to the next instruction. */
type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

/** Renders the program: instructions of 8 bytes (`struct sock_filter`). */
export function renderSystemCallFilter(architecture: keyof typeof TABLES): Buffer {
  const tables = TABLES[architecture].flatMap((calls) => {
    const body = rules(calls, architecture === 'x86_64');
    return [[JUMP_EQUAL, 0, body.length, calls.audit] as const, ...body];
  });
  const program: readonly Instruction[] = [[LOAD, 0, 0, AUDIT_AT], ...tables, [RETURN, 0, 0, ENOSYS]];
  const bytes = Buffer.alloc(8 * program.length);
  for (const [index, [code, jumpTrue, jumpFalse, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * index);
    bytes.writeUInt8(jumpTrue, 8 * index + 2);
    bytes.writeUInt8(jumpFalse, 8 * index + 3);
    bytes.writeUInt32LE(operand, 8 * index + 4);
  }
  return bytes;
}

/** What follows once the table is known. Each rule returns or goes on with the next. */
function rules({ refused, withCloneFlags, socket, absent, audit }: Calls, hasX32: boolean): Instruction[] {
  return [
    [LOAD, 0, 0, NUMBER_AT],
    ...(hasX32 && audit === X86_64.audit ? [[JUMP_SET, 0, 1, X32_BIT] as const, [RETURN, 0, 0, ENOSYS] as const] : []),
    ...refused.flatMap((number): Instruction[] => [
      [JUMP_EQUAL, 0, 1, number],
      [RETURN, 0, 0, EPERM],
    ]),
    ...withCloneFlags.flatMap((number): Instruction[] => [
      [JUMP_EQUAL, 0, 4, number],
      [LOAD, 0, 0, FIRST_ARGUMENT_AT],
      [JUMP_SET, 0, 1, CLONE_NEWUSER],
      [RETURN, 0, 0, EPERM],
      [RETURN, 0, 0, ALLOW],
    ]),
    [JUMP_EQUAL, 0, 4, socket],
    [LOAD, 0, 0, FIRST_ARGUMENT_AT],
    [JUMP_EQUAL, 0, 1, AF_VSOCK],
    [RETURN, 0, 0, EPERM],
    [RETURN, 0, 0, ALLOW],
    ...[...ABSENT, ...absent].flatMap((number): Instruction[] => [
      [JUMP_EQUAL, 0, 1, number],
      [RETURN, 0, 0, ENOSYS],
    ]),
    [RETURN, 0, 0, ALLOW],
  ];
}
