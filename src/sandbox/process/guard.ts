/**
 * The guard: a program of 0.8 KB that confines processes, written by Lamella because no tool of every Linux can do it.
 * `guard c PROGRAM ARGUMENTS...` joins a new session keyring, loads the system call filter and executes the program.
 * `guard h` and `guard p` are the first process of a sandbox: they copy standard input to standard output, let the
 * kernel reap orphans, and exit at end of file. With `p`, no process of the sandbox can trace or change them, also if it
 * has the same user ID: a traced first process would survive the service.
 *
 * The filter must be loaded by the process itself, and stays when it executes another program or enters namespaces.
 * bubblewrap has an option for it (`--seccomp`), but starts only the first process; nsenter, which starts the others, has
 * none.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import type { ElfFile } from '../../elf/elf.ts';
import { CODE_ADDRESS, renderProgram } from '../../elf/elf-program.ts';
import { runToolSync } from './spawn.ts';
import { renderSystemCallFilter } from './system-call-filter.ts';

/** prctl: no_new_privs, dumpable, name; keyctl: join session keyring; seccomp: set filter, without speculation limits. */
const X86_64_CODE = [
  // start:
  '488b1c24', // mov rbx,[rsp]
  '4883fb02', // cmp rbx,0x2
  '0f8ce7000000', // jl <fail>
  'b8fa000000', // mov eax,0xfa
  'bf01000000', // mov edi,0x1
  '31f6', // xor esi,esi
  '0f05', // syscall
  '488b442410', // mov rax,[rsp+0x10]
  '8a00', // mov al,[rax]
  '3c63', // cmp al,0x63
  '7477', // je <confine>
  '3c70', // cmp al,0x70
  '750e', // jne <hold>
  'b89d000000', // mov eax,0x9d
  'bf04000000', // mov edi,0x4
  '31f6', // xor esi,esi
  '0f05', // syscall
  // hold:
  'b89d000000', // mov eax,0x9d
  'bf0f000000', // mov edi,0xf
  '488d35de000000', // lea rsi,[rip+0xde] <name>
  '0f05', // syscall
  'b80d000000', // mov eax,0xd
  'bf11000000', // mov edi,0x11
  '488d35ab000000', // lea rsi,[rip+0xab] <ignore>
  '31d2', // xor edx,edx
  '41ba08000000', // mov r10d,0x8
  '0f05', // syscall
  '4883ec10', // sub rsp,0x10
  // wait:
  '31c0', // xor eax,eax
  '31ff', // xor edi,edi
  '4889e6', // mov rsi,rsp
  'ba01000000', // mov edx,0x1
  '0f05', // syscall
  '4883f8fc', // cmp rax,0xfffffffffffffffc
  '74ec', // je <wait>
  '4885c0', // test rax,rax
  '7e16', // jle <done>
  'b801000000', // mov eax,0x1
  'bf01000000', // mov edi,0x1
  '4889e6', // mov rsi,rsp
  'ba01000000', // mov edx,0x1
  '0f05', // syscall
  'ebd1', // jmp <wait>
  // done:
  '31ff', // xor edi,edi
  'eb5c', // jmp <exit>
  // confine:
  '4883fb03', // cmp rbx,0x3
  '7c51', // jl <fail>
  'b89d000000', // mov eax,0x9d
  'bf26000000', // mov edi,0x26
  'be01000000', // mov esi,0x1
  '31d2', // xor edx,edx
  '4531d2', // xor r10d,r10d
  '4531c0', // xor r8d,r8d
  '0f05', // syscall
  '4885c0', // test rax,rax
  '7533', // jne <fail>
  'b83d010000', // mov eax,0x13d
  'bf01000000', // mov edi,0x1
  'be04000000', // mov esi,0x4
  '488d1560000000', // lea rdx,[rip+0x60] <program>
  '0f05', // syscall
  '4885c0', // test rax,rax
  '7516', // jne <fail>
  'b83b000000', // mov eax,0x3b
  '488b7c2418', // mov rdi,[rsp+0x18]
  '488d742418', // lea rsi,[rsp+0x18]
  '488d54dc10', // lea rdx,[rsp+rbx*8+0x10]
  '0f05', // syscall
  // fail:
  'bf7d000000', // mov edi,0x7d
  // exit:
  'b8e7000000', // mov eax,0xe7
  '0f05', // syscall
  '0f1f8000000000', // nop [rax+0x0]
];

const ARM64_CODE = [
  // start:
  'f30340f9', // ldr x19, [sp]
  '7f0a00f1', // cmp x19, #0x2
  '2b080054', // b.lt <fail>
  '681b80d2', // mov x8, #0xdb
  '200080d2', // mov x0, #0x1
  '010080d2', // mov x1, #0x0
  '010000d4', // svc #0x0
  'e00b40f9', // ldr x0, [sp, #16]
  '14004039', // ldrb w20, [x0]
  '9f8e0171', // cmp w20, #0x63
  '60040054', // b.eq <confine>
  '9fc20171', // cmp w20, #0x70
  'a1000054', // b.ne <hold>
  'e81480d2', // mov x8, #0xa7
  '800080d2', // mov x0, #0x4
  '010080d2', // mov x1, #0x0
  '010000d4', // svc #0x0
  // hold:
  'e81480d2', // mov x8, #0xa7
  'e00180d2', // mov x0, #0xf
  '61070010', // adr x1, <name>
  '010000d4', // svc #0x0
  'c81080d2', // mov x8, #0x86
  '200280d2', // mov x0, #0x11
  'e1050010', // adr x1, <ignore>
  '020080d2', // mov x2, #0x0
  '030180d2', // mov x3, #0x8
  '010000d4', // svc #0x0
  'ff4300d1', // sub sp, sp, #0x10
  // wait:
  'e80780d2', // mov x8, #0x3f
  '000080d2', // mov x0, #0x0
  'e1030091', // mov x1, sp
  '220080d2', // mov x2, #0x1
  '010000d4', // svc #0x0
  '1f1000b1', // cmn x0, #0x4
  '40ffff54', // b.eq <wait>
  '1f0000f1', // cmp x0, #0x0
  'ed000054', // b.le <done>
  '080880d2', // mov x8, #0x40
  '200080d2', // mov x0, #0x1
  'e1030091', // mov x1, sp
  '220080d2', // mov x2, #0x1
  '010000d4', // svc #0x0
  'f2ffff17', // b <wait>
  // done:
  '000080d2', // mov x0, #0x0
  '18000014', // b <exit>
  // confine:
  '7f0e00f1', // cmp x19, #0x3
  'ab020054', // b.lt <fail>
  'e81480d2', // mov x8, #0xa7
  'c00480d2', // mov x0, #0x26
  '210080d2', // mov x1, #0x1
  '020080d2', // mov x2, #0x0
  '030080d2', // mov x3, #0x0
  '040080d2', // mov x4, #0x0
  '010000d4', // svc #0x0
  'a00100b5', // cbnz x0, <fail>
  'a82280d2', // mov x8, #0x115
  '200080d2', // mov x0, #0x1
  '810080d2', // mov x1, #0x4
  '02030010', // adr x2, <program>
  '010000d4', // svc #0x0
  'e00000b5', // cbnz x0, <fail>
  'a81b80d2', // mov x8, #0xdd
  'e00f40f9', // ldr x0, [sp, #24]
  'e1630091', // add x1, sp, #0x18
  'e26f338b', // add x2, sp, x19, lsl #3
  '42400091', // add x2, x2, #0x10
  '010000d4', // svc #0x0
  // fail:
  'a00f80d2', // mov x0, #0x7d
  // exit:
  'c80b80d2', // mov x8, #0x5e
  '010000d4', // svc #0x0
];

const CODE = { x86_64: X86_64_CODE, arm64: ARM64_CODE } as const;

/** Architectures as Node names them. */
const ARCHITECTURES: Readonly<Record<string, keyof typeof CODE>> = { x64: 'x86_64', arm64: 'arm64' };

/** The name of the first process of a sandbox, as `ps` shows it. */
export const HOLDER_NAME = 'lamella-hold';

/** The guard for one service, or the reason why processes are not confined. */
export type Guard =
  | {
      readonly kind: 'installed';
      /** Command prefix that confines a program. */
      readonly confine: readonly string[];
      /** Descriptor of the program, which the first process of a sandbox inherits to execute it. */
      readonly descriptor: number;
      /** Closes the descriptor. Idempotent. */
      close(): void;
    }
  | { readonly kind: 'none'; readonly reason: string };

/** Renders the program of an architecture. */
export function renderGuard(architecture: Exclude<ElfFile['architecture'], 'other'>): Buffer {
  const code = Buffer.from(CODE[architecture].join(''), 'hex');
  const name = Buffer.alloc(16);
  name.write(HOLDER_NAME);
  const ignore = Buffer.alloc(32); // struct sigaction with SIG_IGN
  ignore.writeUInt8(1);
  const filter = renderSystemCallFilter(architecture);
  const program = Buffer.alloc(16); // struct sock_fprog, which the filter follows
  program.writeUInt16LE(filter.length / 8);
  const before = [code, ignore, name, program];
  const filterAt = CODE_ADDRESS + before.reduce((total, { length }) => total + length, 0);
  program.writeBigUInt64LE(BigInt(filterAt), 8);
  return renderProgram(architecture, Buffer.concat([...before, filter]));
}

/** Writes the guard to `file` and tries it with `program`, which has to exit with 0. The caller closes it. */
export function installGuard(file: string, program: string): Guard {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) return { kind: 'none', reason: `there is no filter for ${process.arch} yet` };
  writeFileSync(file, renderGuard(architecture), { mode: 0o755 });
  const { code, stderr } = runToolSync(file, ['c', program]);
  if (code !== 0) {
    const reason = stderr.trim() || `exit code ${code ?? 'none'}`;
    return { kind: 'none', reason: `a process cannot load a system call filter here: ${reason}` };
  }
  let descriptor: number | undefined = openSync(file, 'r');
  return {
    kind: 'installed',
    confine: [file, 'c'],
    descriptor,
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
