/**
 * Finds out what this machine can isolate and limit, and says for what it cannot which command mends it. The last word
 * has a trial: a real sandbox with a real process in it, because no list of settings foresees every container and
 * every security module.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { detectCgroups, hostCgroupSources } from '../cgroup/cgroup-detection.ts';
import { inheritedDescriptors } from '../process/inherited-descriptors.ts';
import { tryLoopVolume } from '../volumes/loop-volumes.ts';
import type { HostCheck } from './host-checks.ts';
import {
  checkCgroups,
  checkNetwork,
  checkProcChildren,
  checkProcessLimit,
  checkSettings,
  checkTools,
  checkTrial,
  checkUser,
  checkVersion,
  checkVolumes,
} from './host-checks.ts';
import { findTool, findTools, isComplete, VOLUME_TOOLS } from './host-tools.ts';
import { tryHost, tryNetwork } from './host-trial.ts';
import { collectsCores, kernelAtLeast, readSettings } from './kernel-settings.ts';
import type { SandboxHost, SandboxTools, VolumeSupport, VolumeTools } from './sandbox-host.ts';
import { chooseIdentity } from './uid-range.ts';

/** What `lamella doctor` prints, and what sandboxes are made with. */
export type HostCapabilities = {
  readonly checks: readonly HostCheck[];
  /** Whether each sandbox can have a network of its own; undefined where that was not tried. */
  readonly isolatedNetwork: HostCheck | undefined;
  /** Undefined when a required check failed. */
  readonly host: SandboxHost | undefined;
};

/**
 * Looks at everything; at networks of their own only when a port is given to listen on in them. Takes some 50 ms, with
 * networks 150, and never rejects.
 */
export async function probeHost({
  isolatedPort,
}: {
  isolatedPort?: number | undefined;
} = {}): Promise<HostCapabilities> {
  const isRoot = process.getuid?.() === 0;
  const tools = findTools();
  const cgroups = detectCgroups(hostCgroupSources());
  const checks: HostCheck[] = [checkUser(isRoot), ...checkTools(tools), ...(await checkVersion(tools.bwrap))];
  checks.push(...checkSettings(readSettings(), isRoot), checkProcChildren());
  let host: SandboxHost | undefined;
  let isolatedNetwork: HostCheck | undefined;
  if (isComplete(tools)) {
    const untried: SandboxHost = {
      tools,
      inheritedDescriptors: inheritedDescriptors(),
      identity: chooseIdentity(isRoot),
      cgroups,
      volumes: { kind: 'directories', reason: 'trial' },
      countsProcessesApart: isRoot || kernelAtLeast(release(), 5, 14),
      collectsCores: collectsCores(),
    };
    const [trial, networkTrial, volumes] = await Promise.all([
      tryHost(untried),
      isolatedPort === undefined ? undefined : tryNetwork(untried, isolatedPort),
      detectVolumes(tools, isRoot),
    ]);
    host = { ...untried, volumes };
    checks.push(checkTrial(trial, readSettings(), isRoot), checkVolumes(volumes));
    isolatedNetwork = networkTrial && checkNetwork(networkTrial, readSettings(), isRoot);
    if (isolatedNetwork) checks.push(isolatedNetwork);
  }
  checks.push(...checkCgroups(cgroups), checkProcessLimit(isRoot || kernelAtLeast(release(), 5, 14)));
  const isFit = checks.every((check) => check.ok || !check.isRequired);
  return { checks, isolatedNetwork, host: isFit ? host : undefined };
}

/** The host to make sandboxes on. Throws `OperatorError` 'no-sandbox' with the first remedy when there is none. */
export function requireSandbox(capabilities: HostCapabilities): SandboxHost {
  if (capabilities.host !== undefined) return capabilities.host;
  const failed = capabilities.checks.find((check) => check.isRequired && !check.ok);
  throw new OperatorError('no-sandbox', {
    reason: failed === undefined ? 'nothing was found out about it' : `${failed.name}: ${failed.detail}`,
    remedy: failed?.remedy ?? 'Run `lamella doctor`.',
  });
}

/** Throws `OperatorError` 'no-sandbox' or 'no-isolated-network' unless every sandbox can have a network of its own. */
export function requireIsolatedNetwork(capabilities: HostCapabilities): void {
  requireSandbox(capabilities);
  const { isolatedNetwork } = capabilities;
  if (isolatedNetwork?.ok) return;
  throw new OperatorError('no-isolated-network', {
    reason: isolatedNetwork?.detail ?? 'it was not tried',
    remedy: isolatedNetwork?.remedy ?? 'Run `lamella doctor`.',
  });
}

/** Mounts a small volume to see whether that can be done here. */
async function detectVolumes(tools: SandboxTools, isRoot: boolean): Promise<VolumeSupport> {
  const directories = (reason: string): VolumeSupport => ({ kind: 'directories', reason });
  if (!isRoot) return directories('only root may mount file systems');
  const found = Object.entries(VOLUME_TOOLS).map(([name, program]) => ({ name, program, path: findTool(program) }));
  const missing = found.filter(({ path }) => path === undefined).map(({ program }) => program);
  if (missing.length > 0) return directories(`${missing.join(', ')} not found (packages e2fsprogs, mount, util-linux)`);
  const volumeTools = Object.fromEntries(found.map(({ name, path }) => [name, path])) as VolumeTools;
  const directory = mkdtempSync(join(tmpdir(), 'lamella-volume-'));
  try {
    const failure = await tryLoopVolume({ ...tools, ...volumeTools }, directory);
    return failure === undefined ? { kind: 'loop', tools: volumeTools } : directories(failure);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
