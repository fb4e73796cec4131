/** Kernel settings that affect sandboxes. */
import { accessSync, constants, readFileSync } from 'node:fs';

/** Settings that affect user namespaces; undefined if the kernel lacks the setting. */
export type KernelSettings = {
  readonly maxUserNamespaces: number | undefined;
  /** A setting of Debian and Arch. */
  readonly unprivilegedUserNamespaces: number | undefined;
  /** A setting of Ubuntu, since 23.10. */
  readonly appArmorRestricts: number | undefined;
  /** Seccomp mode of this process. 2 means that a filter is active, as in containers. */
  readonly seccomp: number;
};

/** Reads the current settings. */
export function readSettings(): KernelSettings {
  return {
    maxUserNamespaces: readSetting('user/max_user_namespaces'),
    unprivilegedUserNamespaces: readSetting('kernel/unprivileged_userns_clone'),
    appArmorRestricts: readSetting('kernel/apparmor_restrict_unprivileged_userns'),
    seccomp: Number(/^Seccomp:\s*(\d)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0),
  };
}

function readSetting(name: string): number | undefined {
  const file = `/proc/sys/${name}`;
  return isReadable(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

const CAP_SYS_PTRACE = 19n;

/** Whether this process may read the descriptors of other users' processes. Root in a container often may not. */
export function mayInspectOthers(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_PTRACE) & 1n) === 1n;
}

/** Whether this process can read the file. */
export function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a kernel release such as `6.1.0-13-amd64` is at least `major.minor`. */
export function kernelAtLeast(version: string, major: number, minor: number): boolean {
  const [have = 0, haveMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return have > major || (have === major && haveMinor >= minor);
}

/** Whether the kernel pipes core dumps to a program of the host. Assumed if the kernel does not tell. */
export function collectsCores(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/core_pattern', 'latin1').startsWith('|');
  } catch {
    return true;
  }
}
