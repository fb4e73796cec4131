/**
 * Finds out what this machine can isolate and limit and, for what is missing, how to fix it (`host-checks.ts`). The
 * decisive check runs a process in a sandbox (`host-trial.ts`).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { detectCgroups, hostCgroupSources } from '../cgroup/cgroup-detection.ts';
import type { Guard } from '../process/guard.ts';
import { installGuard } from '../process/guard.ts';
import { inheritedDescriptors } from '../process/inherited-descriptors.ts';
import { tryLoopVolume } from '../volumes/loop-volumes.ts';
import type { HostCheck } from './host-checks.ts';
import {
  checkCgroups,
  checkGuard,
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
import { findTools, findVolumeTools, isComplete } from './host-tools.ts';
import { tryHost, tryNetwork } from './host-trial.ts';
import { collectsCores, kernelAtLeast, mayInspectOthers, readSettings } from './kernel-settings.ts';
import type { SandboxHost, SandboxTools, VolumeSupport } from './sandbox-host.ts';
import { chooseIdentity } from './uid-range.ts';

/** What this machine supports: the checks for `lamella doctor`, and the host for `createSandboxes`. */
export type HostCapabilities = {
  readonly checks: readonly HostCheck[];
  /** Whether sandboxes can have their own networks; undefined if this was not tried. */
  readonly isolatedNetwork: HostCheck | undefined;
  /** Undefined if a required check failed. */
  readonly host: SandboxHost | undefined;
};

/**
 * Runs all checks. Isolated networks are tried only if `isolatedPort`, the port to listen on in them, is given. Takes
 * about 50 ms, with networks 150 ms. Never rejects.
 */
export async function probeHost({
  isolatedPort,
}: {
  isolatedPort?: number | undefined;
} = {}): Promise<HostCapabilities> {
  const isRoot = process.getuid?.() === 0;
  const tools = findTools();
  const cgroups = detectCgroups(hostCgroupSources());
  const countsProcessesApart = isRoot || kernelAtLeast(release(), 5, 14);
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
      countsProcessesApart,
      collectsCores: collectsCores(),
    };
    const [trial, networkTrial, volumes] = await Promise.all([
      tryHost(untried),
      isolatedPort === undefined ? undefined : tryNetwork(untried, isolatedPort),
      detectVolumes(tools, isRoot),
    ]);
    host = { ...untried, volumes };
    checks.push(checkTrial(trial, readSettings(), isRoot), checkGuard(tryGuard(tools.env)), checkVolumes(volumes));
    isolatedNetwork = networkTrial && checkNetwork(networkTrial, readSettings(), isRoot);
    if (isolatedNetwork) checks.push(isolatedNetwork);
  }
  checks.push(checkCgroups(cgroups, !isRoot || mayInspectOthers()), checkProcessLimit(countsProcessesApart));
  const isFit = checks.every((check) => check.ok || !check.isRequired);
  return { checks, isolatedNetwork, host: isFit ? host : undefined };
}

/** Returns the host. Throws `OperatorError` 'no-sandbox', with the remedy of the first failed check, if there is none. */
export function requireSandbox(capabilities: HostCapabilities): SandboxHost {
  if (capabilities.host !== undefined) return capabilities.host;
  const failed = capabilities.checks.find((check) => check.isRequired && !check.ok);
  throw new OperatorError('no-sandbox', {
    reason: failed === undefined ? 'the host was not checked' : `${failed.name}: ${failed.detail}`,
    remedy: failed?.remedy ?? 'Run `lamella doctor` to see what is missing.',
  });
}

/** Throws `OperatorError` 'no-sandbox' or 'no-isolated-network' unless sandboxes can have their own networks. */
export function requireIsolatedNetwork(capabilities: HostCapabilities): void {
  requireSandbox(capabilities);
  const { isolatedNetwork } = capabilities;
  if (isolatedNetwork?.ok) return;
  throw new OperatorError('no-isolated-network', {
    reason: isolatedNetwork?.detail ?? 'it was not checked',
    remedy: isolatedNetwork?.remedy ?? 'Run `lamella doctor` to see what is missing.',
  });
}

/** Installs the guard in a temporary directory to find out whether this host supports it. */
function tryGuard(program: string): Guard {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-guard-'));
  const guard = installGuard(join(directory, 'guard'), program);
  if (guard.kind === 'installed') guard.close();
  rmSync(directory, { recursive: true, force: true });
  return guard;
}

/** Mounts a small volume to find out whether this host supports it. */
async function detectVolumes(tools: SandboxTools, isRoot: boolean): Promise<VolumeSupport> {
  if (!isRoot) return { kind: 'directories', reason: 'only root can mount file systems' };
  const found = findVolumeTools();
  if ('missing' in found) {
    return { kind: 'directories', reason: `${found.missing.join(', ')} not found`, remedy: found.remedy };
  }
  const directory = mkdtempSync(join(tmpdir(), 'lamella-volume-'));
  try {
    const failure = await tryLoopVolume({ ...tools, ...found }, directory);
    return failure === undefined ? { kind: 'loop', tools: found } : { kind: 'directories', reason: failure };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
