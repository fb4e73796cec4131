/** The programs that build sandboxes and volumes: where they are on this machine, and which package holds them. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { runToolSync } from '../process/spawn.ts';
import type { SandboxTools, VolumeTools } from './sandbox-host.ts';

type ToolName = Exclude<keyof SandboxTools, 'shellAddsVariables'>;

export const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const PACKAGES = { bwrap: 'bubblewrap', util: 'util-linux', core: 'coreutils' };
export const TOOL_PACKAGES: Readonly<Record<ToolName, string>> = {
  bwrap: PACKAGES.bwrap,
  nsenter: PACKAGES.util,
  setpriv: PACKAGES.util,
  setsid: PACKAGES.util,
  mkfifo: PACKAGES.core,
  cat: PACKAGES.core,
  env: PACKAGES.core,
  nice: PACKAGES.core,
  sh: 'dash',
  bash: 'bash',
};
/** Names of programs that only volumes need. */
export const VOLUME_TOOLS: Readonly<Record<keyof VolumeTools, string>> = {
  mkfs: 'mkfs.ext4',
  tune2fs: 'tune2fs',
  dumpe2fs: 'dumpe2fs',
  debugfs: 'debugfs',
  mount: 'mount',
  umount: 'umount',
  unshare: 'unshare',
  cp: 'cp',
};

export function findTools(): Partial<SandboxTools> {
  const names = Object.keys(TOOL_PACKAGES) as ToolName[];
  const found: Partial<Record<ToolName, string>> = Object.fromEntries(
    names.flatMap((name) => {
      // dash where it is to be had: it starts fastest, and adds nothing to the environment.
      const path = (name === 'sh' ? [findTool('dash'), findTool(name)] : [findTool(name)]).find(Boolean);
      return path === undefined ? [] : [[name, path]];
    }),
  );
  const { sh, env } = found;
  if (sh === undefined || env === undefined) return found;
  return { ...found, shellAddsVariables: runToolSync(sh, ['-c', `exec ${env}`]).stdout.includes('_=') };
}

export function findTool(name: string): string | undefined {
  return TOOL_DIRECTORIES.map((directory) => join(directory, name)).find(isExecutable);
}

export function isComplete(tools: Partial<SandboxTools>): tools is SandboxTools {
  return Object.keys(TOOL_PACKAGES).every((name) => name in tools);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The command of the package manager that this system has. */
export function installCommand(name: string): string {
  const managers: readonly (readonly [string, string])[] = [
    ['apt-get', 'sudo apt-get install -y'],
    ['dnf', 'sudo dnf install -y'],
    ['yum', 'sudo yum install -y'],
    ['zypper', 'sudo zypper install -y'],
    ['pacman', 'sudo pacman -S --noconfirm'],
    ['apk', 'sudo apk add'],
  ];
  const found = managers.find(([tool]) => TOOL_DIRECTORIES.some((directory) => isExecutable(join(directory, tool))));
  return found === undefined ? `Install the package ${name}.` : `${found[1]} ${name}`;
}
