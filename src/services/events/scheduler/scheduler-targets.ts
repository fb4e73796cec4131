/**
 * What schedules can call. A templated target is the ARN of a resource, and its service has one operation. A universal target
 * names any operation of any service; here it can be an operation of a service that Lamella has.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html
 */
import { parseArn, parseUniversalTarget } from '../../../protocol/arn.ts';

export type ScheduleTarget =
  | { readonly kind: 'function' | 'queue' | 'topic' | 'bus' }
  /** Any operation, with the input of the schedule as its members. `service` is its name in a credential scope. */
  | { readonly kind: 'operation'; readonly service: string; readonly operation: string }
  /** AWS has such targets, Lamella does not have the service: nothing is called. */
  | { readonly kind: 'recorded'; readonly service: string };

const TEMPLATED: Readonly<Record<string, 'function' | 'queue' | 'topic' | 'bus'>> = {
  lambda: 'function',
  sqs: 'queue',
  sns: 'topic',
  events: 'bus',
};
const RECORDED: ReadonlySet<string> = new Set([
  'codebuild',
  'codepipeline',
  'ecs',
  'firehose',
  'inspector',
  'kinesis',
  'sagemaker',
  'states',
]);

/** Services by the name in a universal target, which is that of the SDKs. */
const UNIVERSAL: Readonly<Record<string, string>> = {
  cloudformation: 'cloudformation',
  cloudwatchlogs: 'logs',
  eventbridge: 'events',
  iam: 'iam',
  lambda: 'lambda',
  scheduler: 'scheduler',
  secretsmanager: 'secretsmanager',
  sns: 'sns',
  sqs: 'sqs',
  ssm: 'ssm',
};

/** AWS refuses operations that only read. */
const READS =
  /^(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|batchRead|transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|invokeModel)/;

/** The reason for a target that cannot be called, as a message for the client. */
export class UnsupportedTarget extends Error {}

/** @throws UnsupportedTarget */
export function parseTarget(arn: string): ScheduleTarget {
  const universal = parseUniversalTarget(arn);
  if (universal !== undefined) return parseUniversal(universal);
  const { service = '', resource = '' } = parseArn(arn) ?? {};
  const kind = TEMPLATED[service];
  if (kind === 'bus' && !resource.startsWith('event-bus/')) throw new UnsupportedTarget(invalidArn(arn));
  if (kind !== undefined) return { kind };
  if (RECORDED.has(service)) return { kind: 'recorded', service };
  throw new UnsupportedTarget(invalidArn(arn));
}

function invalidArn(arn: string): string {
  return `Parameter ${arn} is not valid. Reason: Provided Arn is not in correct format.`;
}

function parseUniversal({ service, operation }: { readonly service: string; readonly operation: string }) {
  if (READS.test(operation)) {
    throw new UnsupportedTarget(`${service}:${operation} is not supported as a target: it only reads.`);
  }
  const known = Object.hasOwn(UNIVERSAL, service) ? UNIVERSAL[service] : undefined;
  if (known === undefined) {
    const services = Object.keys(UNIVERSAL).join(', ');
    throw new UnsupportedTarget(
      `Lamella does not support ${service}:${operation} as a target. Universal targets of these services work: ${services}.`,
    );
  }
  return {
    kind: 'operation',
    service: known,
    operation: operation.charAt(0).toUpperCase() + operation.slice(1),
  } as const;
}
