/**
 * `lamella doctor`: prints what this machine can isolate and limit, and what the execution environments of a running
 * service use. Exits with code 4 if this machine cannot run functions at all.
 */

import type { ResourceAccounts } from '../../admin-api/environments.ts';
import type { EnvironmentAccount, Use } from '../../environment/account.ts';
import { resolveClientOptions } from '../../options.ts';
import { RUNTIME_API_PORT } from '../../protocol/endpoints.ts';
import { probeHost } from '../../sandbox/host/host-capabilities.ts';
import type { HostCheck } from '../../sandbox/host/host-checks.ts';
import { readAccounts } from '../api-client.ts';
import { findAwsCli } from '../aws-cli.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';

export const run: Run = async ({ given }) => {
  const endpoint = resolveClientOptions(given, 'doctor');
  const [probed, awsCli, accounts] = await Promise.all([
    probeHost({ isolatedPort: RUNTIME_API_PORT }),
    checkAwsCli(),
    readAccounts(endpoint),
  ]);
  const { host } = probed;
  const checks = [...probed.checks, awsCli];
  const canRun = host !== undefined;
  if (given.json) await writeJson({ canRunFunctions: canRun, checks, ...(accounts && { resources: accounts }) });
  else {
    const resources = accounts === undefined ? '' : `\n${renderAccounts(endpoint.endpointUrl, accounts)}`;
    await writeResult(`${checks.map(render).join('\n')}\n\n${verdict(canRun, checks)}\n${resources}`);
  }
  return canRun ? 0 : 4;
};

/** Whether the AWS CLI that is installed finds the service by its variables. Functions do not need it. */
async function checkAwsCli(): Promise<HostCheck> {
  const check = { name: 'AWS CLI', isRequired: false, impact: undefined, remedy: undefined };
  const cli = await findAwsCli();
  if (cli === undefined) return { ...check, ok: true, detail: 'not installed (optional)' };
  const { path, version, readsEndpointVariables } = cli;
  if (version === undefined) {
    return {
      ...check,
      ok: false,
      detail: `${path} does not print its version`,
      impact: '`lamella aws` runs this program.',
      remedy: `Run \`${path} --version\` to see its error, or install the AWS CLI again.`,
    };
  }
  if (readsEndpointVariables) return { ...check, ok: true, detail: `${version} (${path})` };
  return {
    ...check,
    ok: false,
    detail: `${version} (${path}) ignores AWS_ENDPOINT_URL`,
    impact: 'Without --endpoint-url, its commands go to AWS, even if the variables of `lamella env` are set.',
    remedy: 'Use `lamella aws` instead of `aws`, or install the AWS CLI 2.13 or newer.',
  };
}

/** One line with the result. For a failed check, further lines with the reason why it matters and what to do. */
function render({ name, ok, isRequired, detail, impact, remedy }: HostCheck): string {
  const mark = ok ? 'ok     ' : isRequired ? 'MISSING' : 'limited';
  const lines = [`${mark}  ${name}: ${detail}`];
  if (impact) lines.push(`Why it matters: ${impact}`);
  if (remedy) lines.push(`What to do: ${remedy}`);
  return lines.join('\n').replaceAll('\n', '\n         ');
}

function verdict(canRun: boolean, checks: readonly HostCheck[]): string {
  if (!canRun)
    return 'This machine cannot run functions yet. Fix each check marked MISSING, then run `lamella doctor` again.';
  return checks.every((check) => check.ok)
    ? 'This machine can run functions, with all limits.'
    : 'This machine can run functions. Checks marked "limited" are optional.';
}

/** The service's own use in one line, and one line for each environment. */
function renderAccounts(url: string, { service, environments }: ResourceAccounts): string {
  const { memoryBytes, descriptors, connections, requestBodies } = service;
  const own = [
    `${mib(memoryBytes)} of memory`,
    `${ratio(descriptors)} descriptors`,
    `${ratio(connections)} connections of functions`,
    `${ratio(requestBodies, mib)} for request bodies`,
    `${environments.length} execution environment${environments.length === 1 ? '' : 's'}`,
  ];
  return `${[`The service at ${url} uses ${own.join(', ')}.`, ...environments.map(renderAccount)].join('\n')}\n`;
}

function renderAccount(account: EnvironmentAccount): string {
  const { function: name, version, phase, memory, processes, descriptors, disk, connections, buffered, log } = account;
  const held = buffered.requests.used + buffered.output.used + buffered.telemetry.used;
  const parts = [
    `memory ${ratio(memory, mib)}`,
    `processes ${ratio(processes)}`,
    `descriptors ${descriptors.used} (${descriptors.limitPerProcess} each)`,
    `/tmp ${disk.isComplete ? '' : 'over '}${ratio(disk, mib)}`,
    `connections ${ratio(connections)}${connections.refused > 0 ? ` (${connections.refused} refused)` : ''}`,
    `buffered ${mib(held)}`,
    `log ${Math.ceil(log.bytesPerSecond / 1024)} KB/s${log.isHeldBack ? ' (held back)' : ''}`,
  ];
  return `  ${name}:${version} (${phase}): ${parts.join(', ')}`;
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / (1024 * 1024))} MB`;
}

function ratio({ used, limit }: Use, render: (value: number) => string = String): string {
  return limit === null || !Number.isFinite(limit) ? render(used) : `${render(used)} of ${render(limit)}`;
}
