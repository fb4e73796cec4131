/** The settings of the kernel that decide what a sandbox can be. */
import { accessSync, constants, readFileSync } from 'node:fs';

/** Settings of the kernel that decide about user namespaces; undefined where the kernel has no such setting. */
export type KernelSettings = {
  readonly maxUserNamespaces: number | undefined;
  /** Debian's and Arch's own switch. */
  readonly unprivilegedUserNamespaces: number | undefined;
  /** Ubuntu's, since 23.10. */
  readonly appArmorRestricts: number | undefined;
  /** Mode of the seccomp filter on this process: 2 is a filter, as containers have. */
  readonly seccomp: number;
};

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

export function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

export function kernelAtLeast(version: string, major: number, minor: number): boolean {
  const [have = 0, haveMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return have > major || (have === major && haveMinor >= minor);
}

/** Whether memory that a crash leaves goes to a program of the host's; where the kernel does not say, that is assumed. */
export function collectsCores(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/core_pattern', 'latin1').startsWith('|');
  } catch {
    return true;
  }
}
