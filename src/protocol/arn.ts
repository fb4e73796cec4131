/** ARNs of AWS's services: parse what a client sent, render what AWS would answer. */
import { partitionOf, type Scope } from './names.ts';

/** `arn:aws:sqs:<region>:<account>:<name>` */
export function renderQueueArn({ region, account }: Scope, name: string): string {
  return `arn:${partitionOf(region)}:sqs:${region}:${account}:${name}`;
}

export function parseQueueArn(arn: string): { readonly scope: Scope; readonly name: string } | undefined {
  const [, region, account, name] = /^arn:aws[a-z-]*:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_.-]+)$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, name } : undefined;
}
