/** The programs that build sandboxes and volumes: their paths on this machine and the packages that contain them. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { runToolSync } from '../process/spawn.ts';
import type { SandboxTools, VolumeTools } from './sandbox-host.ts';

type ToolName = Exclude<keyof SandboxTools, 'shellAddsVariables'>;

/** Packages that every sandbox needs. Distributions agree on these names. */
export type PackageName = 'bubblewrap' | 'util-linux' | 'coreutils' | 'dash' | 'bash';

/** The directories that are searched for programs. PATH is not used. */
export const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** The package of each program that every sandbox needs. */
export const TOOL_PACKAGES: Readonly<Record<ToolName, PackageName>> = {
  bwrap: 'bubblewrap',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  setsid: 'util-linux',
  mkfifo: 'coreutils',
  cat: 'coreutils',
  env: 'coreutils',
  nice: 'coreutils',
  sh: 'dash',
  bash: 'bash',
};

/** The program and the Debian package of each tool that only volumes need. */
const VOLUME_TOOLS: Readonly<Record<keyof VolumeTools, readonly [program: string, owner: string]>> = {
  mkfs: ['mkfs.ext4', 'e2fsprogs'],
  tune2fs: ['tune2fs', 'e2fsprogs'],
  dumpe2fs: ['dumpe2fs', 'e2fsprogs'],
  debugfs: ['debugfs', 'e2fsprogs'],
  mount: ['mount', 'mount'],
  umount: ['umount', 'mount'],
  unshare: ['unshare', 'util-linux'],
  cp: ['cp', 'coreutils'],
};

const PACKAGE_MANAGERS: readonly (readonly [program: string, command: string])[] = [
  ['apt-get', 'sudo apt-get install -y'],
  ['dnf', 'sudo dnf install -y'],
  ['yum', 'sudo yum install -y'],
  ['zypper', 'sudo zypper install -y'],
  ['pacman', 'sudo pacman -S --noconfirm'],
  ['apk', 'sudo apk add'],
];

/** The paths of all programs that sandboxes and volumes use, as far as they are installed. */
export function findPrograms(): readonly string[] {
  const names = [...Object.keys(TOOL_PACKAGES), 'dash', ...Object.values(VOLUME_TOOLS).map(([program]) => program)];
  return names.flatMap((name) => findTool(name) ?? []);
}

/** Finds the programs that every sandbox needs. Missing ones are left out. */
export function findTools(): Partial<SandboxTools> {
  const names = Object.keys(TOOL_PACKAGES) as ToolName[];
  const found: Partial<Record<ToolName, string>> = Object.fromEntries(
    names.flatMap((name) => {
      // Prefer dash: it starts fastest and adds no variables to the environment.
      const path = (name === 'sh' ? [findTool('dash'), findTool(name)] : [findTool(name)]).find(Boolean);
      return path === undefined ? [] : [[name, path]];
    }),
  );
  const { sh, env } = found;
  if (sh === undefined || env === undefined) return found;
  return { ...found, shellAddsVariables: runToolSync(sh, ['-c', `exec ${env}`]).stdout.includes('_=') };
}

/** Whether every program was found. */
export function isComplete(tools: Partial<SandboxTools>): tools is SandboxTools {
  return Object.keys(TOOL_PACKAGES).every((name) => name in tools);
}

/** Finds the programs that volumes need, or returns the missing ones and the command that installs them. */
export function findVolumeTools(): VolumeTools | { readonly missing: readonly string[]; readonly remedy: string } {
  const found = Object.entries(VOLUME_TOOLS).map(([name, [program, owner]]) => {
    return { name, program, owner, path: findTool(program) };
  });
  const missing = found.filter(({ path }) => path === undefined);
  if (missing.length === 0) return Object.fromEntries(found.map(({ name, path }) => [name, path])) as VolumeTools;
  return {
    missing: missing.map(({ program }) => program),
    remedy: installCommand(missing.map(({ owner }) => owner)),
  };
}

/** Returns the command that installs packages, given by their Debian names, with this system's package manager. */
export function installCommand(packages: readonly string[]): string {
  const found = PACKAGE_MANAGERS.find(([program]) => findTool(program) !== undefined);
  // Only Debian packages mount separately.
  const names = packages.map((name) => (name === 'mount' && found?.[0] !== 'apt-get' ? 'util-linux' : name));
  const list = [...new Set(names)].join(' ');
  return found === undefined ? `Install ${list}.` : `${found[1]} ${list}`;
}

function findTool(name: string): string | undefined {
  return TOOL_DIRECTORIES.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
