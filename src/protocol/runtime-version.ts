/**
 * How AWS names the build of a managed runtime. INIT_START, the Telemetry API and GetFunctionConfiguration all report
 * it. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html
 */
import { createHash } from 'node:crypto';
import { renderRuntimeVersionArn } from './arn.ts';

export type RuntimeVersion = {
  /** `provided:al2023.v1` */
  readonly name: string;
  readonly arn: string;
};

/** The version of `runtime` (`provided.al2023`) in a region. AWS's ARN ends in a SHA-256, which here is the name's. */
export function runtimeVersionOf(runtime: string, region: string): RuntimeVersion {
  const name = `${runtime.replace('.', ':')}.v1`;
  return { name, arn: renderRuntimeVersionArn(region, createHash('sha256').update(name).digest('hex')) };
}
