/**
 * The AWS CLI that is installed: where it is, its version, and whether it reads the endpoint variables, which came with
 * version 1.29.0 and 2.13.0. Older ones need `--endpoint-url`.
 * https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-endpoints.html
 */
import { findProgram, readProgram } from './run-program.ts';

export type AwsCli = {
  readonly path: string;
  /** Such as `2.9.19`; undefined if the program does not print one. */
  readonly version: string | undefined;
  readonly readsEndpointVariables: boolean;
};

/** How long a slow machine may need to load Python, in milliseconds. */
const VERSION_TIMEOUT_MS = 60_000;

/** The first AWS CLI on the PATH; undefined if none is installed. */
export async function findAwsCli(): Promise<AwsCli | undefined> {
  const path = findProgram('aws');
  if (path === undefined) return undefined;
  const printed = await readProgram(path, ['--version'], VERSION_TIMEOUT_MS);
  const version = /aws-cli\/(\d+\.\d+\.\d+)/.exec(printed ?? '')?.[1];
  return { path, version, readsEndpointVariables: version !== undefined && readsEndpointVariables(version) };
}

/** Whether a version of the AWS CLI reads `AWS_ENDPOINT_URL`. */
export function readsEndpointVariables(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 13) || (major === 1 && minor >= 29);
}

/** The arguments with the service's URL and region in front, unless the caller gives these. */
export function awsArguments(args: readonly string[], endpointUrl: string, region: string): string[] {
  const own = [
    ...(has(args, '--endpoint-url') ? [] : ['--endpoint-url', endpointUrl]),
    ...(has(args, '--region') ? [] : ['--region', region]),
  ];
  return [...own, ...args];
}

function has(args: readonly string[], flag: string): boolean {
  return args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
}
