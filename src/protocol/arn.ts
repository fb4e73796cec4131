/**
 * Parses and renders ARNs. No other file spells or splits an ARN; `test/architecture.test.ts` enforces it.
 *
 * The `parse*` functions return undefined for anything else and do not throw: the error message is the caller's. The
 * `render*` functions derive the partition from the region.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
import type { Brand, FunctionName, LayerName, Qualifier, Scope } from './names.ts';

export type FunctionArn = Brand<string, 'FunctionArn'>;
export type LayerArn = Brand<string, 'LayerArn'>;
export type LayerVersionArn = Brand<string, 'LayerVersionArn'>;

// Any service.

/** Region prefixes of every partition but `aws`, from the endpoint rules of AWS's SDKs. */
const PARTITIONS: readonly (readonly [regionPrefix: string, partition: string])[] = [
  ['cn-', 'aws-cn'],
  ['us-gov-', 'aws-us-gov'],
  ['us-iso-', 'aws-iso'],
  ['us-isob-', 'aws-iso-b'],
  ['eu-isoe-', 'aws-iso-e'],
  ['us-isof-', 'aws-iso-f'],
  ['eusc-', 'aws-eusc'],
];

/** The partition of a region: `aws`, `aws-cn`, `aws-us-gov` ... */
export function partitionOf(region: string): string {
  return PARTITIONS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'aws';
}

export type Arn = {
  readonly partition: string;
  readonly service: string;
  /** Empty for global services such as IAM and S3. */
  readonly region: string;
  /** Empty for S3. */
  readonly account: string;
  /** Everything after the fifth colon. */
  readonly resource: string;
};

/** Parses an ARN of any service, without checking its elements. */
export function parseArn(text: string): Arn | undefined {
  const [, partition, service, region, account, resource] =
    /^arn:([^:]*):([^:]*):([^:]*):([^:]*):(.*)$/s.exec(text) ?? [];
  if (!partition || !service || region === undefined || account === undefined || resource === undefined) {
    return undefined;
  }
  return { partition, service, region, account, resource };
}

/** Any ARN; its parts may also be `${AWS::Region}` and the like, for an `Fn::Sub` of a template. */
export function renderArn({ partition, service, region, account, resource }: Arn): string {
  return ['arn', partition, service, region, account, resource].join(':');
}

/** Whether a text that may also be a name claims to be an ARN. */
export function isArn(text: string): boolean {
  return text.startsWith('arn:');
}

/** The elements between the colons of an ARN, or of a text that should have been one: its parts may be missing. */
export function arnElements(text: string): readonly string[] {
  return text.split(':');
}

function render({ region, account }: Scope, service: string, resource: string): string {
  return `arn:${partitionOf(region)}:${service}:${region}:${account}:${resource}`;
}

/** IAM and STS are global: their ARNs leave the region empty. */
function renderGlobal({ region, account }: Scope, service: string, resource: string): string {
  return `arn:${partitionOf(region)}:${service}::${account}:${resource}`;
}

// Lambda.

/** `arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]` */
export function renderFunctionArn(scope: Scope, name: string, qualifier?: string): FunctionArn {
  return render(scope, 'lambda', `function:${name}${qualifier === undefined ? '' : `:${qualifier}`}`) as FunctionArn;
}

/** What the API accepts as FunctionName: a name, a partial ARN or an ARN, each with or without a qualifier. */
export type FunctionReference = {
  readonly region: string | undefined;
  readonly account: string | undefined;
  readonly name: FunctionName;
  readonly qualifier: Qualifier | undefined;
};

const FUNCTION_REFERENCE =
  /^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:((?:eusc-)?[a-z]{2}(?:(?:-gov)|(?:-iso[a-z]?))?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_.]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/;

/** Parses a function's name, partial ARN (`123456789012:function:name`) or ARN. */
export function parseFunctionReference(text: string): FunctionReference | undefined {
  const match = FUNCTION_REFERENCE.exec(text);
  if (!match) return undefined;
  return {
    region: match[1],
    account: match[2],
    name: match[3] as FunctionName,
    qualifier: match[4] as Qualifier | undefined,
  };
}

/** `arn:aws:lambda:<region>:<account>:layer:<name>` */
export function renderLayerArn(scope: Scope, name: string): LayerArn {
  return render(scope, 'lambda', `layer:${name}`) as LayerArn;
}

export function renderLayerVersionArn(scope: Scope, name: string, version: number): LayerVersionArn {
  return `${renderLayerArn(scope, name)}:${version}` as LayerVersionArn;
}

export type LayerVersionReference = {
  readonly scope: Scope;
  readonly name: LayerName;
  readonly version: number;
};

const LAYER_VERSION_ARN = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+):(\d+)$/;
const LAYER_ARN = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)$/;

export function parseLayerVersionArn(text: string): LayerVersionReference | undefined {
  const match = LAYER_VERSION_ARN.exec(text);
  if (!match?.[1] || !match[2] || !match[3] || !match[4]) return undefined;
  const version = Number(match[4]);
  if (!Number.isSafeInteger(version)) return undefined;
  return { scope: { region: match[1], account: match[2] }, name: match[3] as LayerName, version };
}

/** Parses what the API calls LayerName: a name or a layer's ARN (without a version). */
export function parseLayerName(
  text: string,
): { readonly scope: Scope | undefined; readonly name: LayerName } | undefined {
  const match = LAYER_ARN.exec(text);
  if (match?.[1] && match[2] && match[3]) {
    return { scope: { region: match[1], account: match[2] }, name: match[3] as LayerName };
  }
  return /^[a-zA-Z0-9-_]+$/.test(text) ? { scope: undefined, name: text as LayerName } : undefined;
}

/** AWS's pattern for a member of Layers, which its validation message quotes. */
export const LAYER_VERSION_ARN_PATTERN =
  '(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:layer:' +
  '[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)';

/** Versions of runtimes belong to no account. */
export function renderRuntimeVersionArn(region: string, version: string): string {
  return render({ region, account: '' }, 'lambda', `runtime:${version}`);
}

export function renderEventSourceMappingArn(scope: Scope, uuid: string): string {
  return render(scope, 'lambda', `event-source-mapping:${uuid}`);
}

export function renderCodeSigningConfigArn(scope: Scope, id: string): string {
  return render(scope, 'lambda', `code-signing-config:${id}`);
}

export type LambdaResource = {
  readonly scope: Scope;
  /** `function`, `layer`, `event-source-mapping`, `code-signing-config` ... */
  readonly kind: string;
  /** The name or id, without the qualifier or version that may follow. */
  readonly id: string | undefined;
};

/** Parses the ARN of any resource of Lambda. */
export function parseLambdaArn(text: string): LambdaResource | undefined {
  const arn = parseArn(text);
  if (arn?.service !== 'lambda') return undefined;
  const [kind = '', id] = arn.resource.split(':');
  return { scope: { region: arn.region, account: arn.account }, kind, id };
}

// IAM and STS.

/** The account itself, which stands for all its identities: `arn:aws:iam::<account>:root` */
export function renderAccountArn(scope: Scope): string {
  return renderGlobal(scope, 'iam', 'root');
}

/** `arn:aws:iam::<account>:role<path><name>`; the path starts and ends with a slash. */
export function renderRoleArn(scope: Scope, path: string, name: string): string {
  return renderGlobal(scope, 'iam', `role${path}${name}`);
}

export type RoleArn = { readonly account: string; readonly path: string; readonly name: string };

export function parseRoleArn(arn: string): RoleArn | undefined {
  const match = /^arn:aws[a-z-]*:iam::(\d{12}):role(\/(?:[!-~]+\/)?)([\w+=,.@-]+)$/.exec(arn);
  return match?.[1] && match[2] && match[3] ? { account: match[1], path: match[2], name: match[3] } : undefined;
}

/** AWS's pattern for an execution role, which its validation message quotes. */
export const ROLE_ARN_PATTERN = 'arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+';

/** `arn:aws:iam::<owner>:policy<path><name>`; the account is `aws` for the policies that AWS manages. */
export function renderPolicyArn(owner: Scope, path: string, name: string): string {
  return renderGlobal(owner, 'iam', `policy${path}${name}`);
}

export type PolicyArn = {
  /** `aws` for the policies that AWS manages, otherwise twelve digits. */
  readonly owner: string;
  readonly path: string;
  readonly name: string;
};

export function parsePolicyArn(arn: string): PolicyArn | undefined {
  const match = /^arn:aws[a-z-]*:iam::(aws|\d{12}):policy(\/(?:[!-~]+\/)?)([\w+=,.@-]+)$/.exec(arn);
  return match?.[1] && match[2] && match[3] ? { owner: match[1], path: match[2], name: match[3] } : undefined;
}

/** `arn:aws:sts::<account>:assumed-role/<role>/<session>`; the role's path is not part of it. */
export function renderAssumedRoleArn(scope: Scope, role: string, session: string): string {
  return renderGlobal(scope, 'sts', `assumed-role/${role}/${session}`);
}

/** Whether a text is the ARN of an identity that a policy can name as its principal. */
export function isPrincipalArn(text: string): boolean {
  return /^arn:aws[a-z-]*:(iam|sts)::\d{12}:.+$/.test(text);
}

// SQS and SNS.

/** `arn:aws:sqs:<region>:<account>:<name>` */
export function renderQueueArn(scope: Scope, name: string): string {
  return render(scope, 'sqs', name);
}

export function parseQueueArn(arn: string): { readonly scope: Scope; readonly name: string } | undefined {
  const [, region, account, name] = /^arn:aws[a-z-]*:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_.-]+)$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, name } : undefined;
}

/** `arn:aws:sns:<region>:<account>:<name>` */
export function renderTopicArn(scope: Scope, name: string): string {
  return render(scope, 'sns', name);
}

/** A subscription's ARN is its topic's with an id behind it. */
export function renderSubscriptionArn(topicArn: string, id: string): string {
  return `${topicArn}:${id}`;
}

/** Parses the ARN of a topic, or of a subscription to it (then with its id). */
export function parseTopicArn(
  arn: string,
): { readonly scope: Scope; readonly name: string; readonly subscriptionId: string | undefined } | undefined {
  const [, region, account, name, subscriptionId] =
    /^arn:aws[a-z-]*:sns:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_.-]+)(?::(.*))?$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, name, subscriptionId } : undefined;
}

// CloudWatch Logs.

/** `arn:aws:logs:<region>:<account>:log-group:<name>` */
export function renderLogGroupArn(scope: Scope, name: string): string {
  return render(scope, 'logs', `log-group:${name}`);
}

/** `arn:aws:logs:<region>:<account>:log-group:<group>:log-stream:<name>` */
export function renderLogStreamArn(scope: Scope, group: string, name: string): string {
  return `${renderLogGroupArn(scope, group)}:log-stream:${name}`;
}

/** The name in a log group's ARN, with or without `:*` at its end. */
export function parseLogGroupArn(arn: string): string | undefined {
  return /^arn:aws[a-z-]*:logs:[a-z0-9-]+:\d{12}:log-group:([.\-_/#A-Za-z0-9]+)(?::\*)?$/.exec(arn)?.[1];
}

// EventBridge and load balancers.

/** `arn:aws:s3:::<bucket>` */
export function renderBucketArn(region: string, name: string): string {
  return renderArn({ partition: partitionOf(region), service: 's3', region: '', account: '', resource: name });
}

export function renderEventBusArn(scope: Scope, name: string): string {
  return render(scope, 'events', `event-bus/${name}`);
}

export function parseEventBusArn(arn: string): { readonly scope: Scope; readonly name: string } | undefined {
  const [, region, account, name] = /^arn:aws[a-z-]*:events:([a-z0-9-]+):(\d{12}):event-bus\/(.+)$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, name } : undefined;
}

/** A rule; the ARN of one on the default event bus does not name the bus. */
export function renderRuleArn(scope: Scope, name: string, bus = 'default'): string {
  return render(scope, 'events', bus === 'default' ? `rule/${name}` : `rule/${bus}/${name}`);
}

export function parseRuleArn(
  arn: string,
): { readonly scope: Scope; readonly bus: string; readonly name: string } | undefined {
  const [, region, account, bus = 'default', name] =
    /^arn:aws[a-z-]*:events:([a-z0-9-]+):(\d{12}):rule\/(?:(.+)\/)?([^/]+)$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, bus, name } : undefined;
}

/** A schedule of EventBridge Scheduler. */
export function renderScheduleArn(scope: Scope, name: string, group = 'default'): string {
  return render(scope, 'scheduler', `schedule/${group}/${name}`);
}

export function parseScheduleArn(
  arn: string,
): { readonly scope: Scope; readonly group: string; readonly name: string } | undefined {
  const [, region, account, group, name] =
    /^arn:aws[a-z-]*:scheduler:([a-z0-9-]+):(\d{12}):schedule\/([^/]+)\/([^/]+)$/.exec(arn) ?? [];
  return region && account && group && name ? { scope: { region, account }, group, name } : undefined;
}

export function renderScheduleGroupArn(scope: Scope, name: string): string {
  return render(scope, 'scheduler', `schedule-group/${name}`);
}

export function parseScheduleGroupArn(arn: string): { readonly scope: Scope; readonly name: string } | undefined {
  const [, region, account, name] =
    /^arn:aws[a-z-]*:scheduler:([a-z0-9-]+):(\d{12}):schedule-group\/([^/]+)$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, name } : undefined;
}

/** The ARNs in the API model of EventBridge Scheduler. */
export const SCHEDULER_ARN_PATTERNS = {
  scheduleGroup: '^arn:aws(-[a-z]+)?:scheduler:[a-z0-9\\-]+:\\d{12}:schedule-group\\/[0-9a-zA-Z-_.]+$',
  role: '^arn:aws(-[a-z]+)?:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+$',
  queue: '^arn:aws(-[a-z]+)?:sqs:[a-z0-9\\-]+:\\d{12}:[a-zA-Z0-9\\-_]+$',
  kmsKey: '^arn:aws(-[a-z]+)?:kms:[a-z0-9\\-]+:\\d{12}:(key|alias)\\/[0-9a-zA-Z-_]*$',
} as const;

/** A universal target of EventBridge Scheduler: `arn:aws:scheduler:::aws-sdk:sqs:sendMessage` */
export function parseUniversalTarget(
  arn: string,
): { readonly service: string; readonly operation: string } | undefined {
  const [, service, operation] = /^arn:aws[a-z-]*:scheduler:::aws-sdk:([a-z0-9]+):([a-zA-Z0-9]+)$/.exec(arn) ?? [];
  return service && operation ? { service, operation } : undefined;
}

/** `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<route>`; `route` is `GET/users/1` or `$default`. */
export function renderExecuteApiArn(scope: Scope, api: string, stage: string, route: string): string {
  return render(scope, 'execute-api', `${api}/${stage}/${route}`);
}

/** Every stage and route of an API: `arn:aws:execute-api:<region>:<account>:<api>` */
export function renderApiArn(scope: Scope, api: string): string {
  return render(scope, 'execute-api', api);
}

/** A resource of API Gateway, for its tags: `arn:aws:apigateway:<region>::/restapis/<id>`. It has no account. */
export function renderApiGatewayArn(region: string, path: string): string {
  return render({ region, account: '' }, 'apigateway', path);
}

/** The path of a resource of API Gateway: `/restapis/<id>`. */
export function parseApiGatewayArn(text: string): string | undefined {
  const arn = parseArn(text);
  return arn?.service === 'apigateway' && arn.resource.startsWith('/') ? arn.resource : undefined;
}

export type IntegrationUri =
  /** The function's name, partial ARN or ARN, as it is in the URI. */
  | { readonly kind: 'function'; readonly function: string }
  /** An action of another AWS service. */
  | { readonly kind: 'service'; readonly service: string };

/**
 * Parses the URI of an integration or authorizer with an AWS service,
 * `arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/<function>/invocations`, or the ARN of a function.
 */
export function parseIntegrationUri(uri: string): IntegrationUri | undefined {
  const arn = parseArn(uri);
  if (arn?.service === 'lambda' && arn.resource.startsWith('function:')) return { kind: 'function', function: uri };
  if (arn?.service !== 'apigateway') return undefined;
  // The account has the place of the service: a subdomain may precede it.
  const service = arn.account.slice(arn.account.lastIndexOf('.') + 1);
  const [, name] = /^path\/2015-03-31\/functions\/(.+)\/(?:response-streaming-)?invocations$/.exec(arn.resource) ?? [];
  if (service === 'lambda' && name !== undefined) return { kind: 'function', function: name };
  return { kind: 'service', service };
}

/** `arn:aws:elasticloadbalancing:<region>:<account>:<path>`; the path is `loadbalancer/app/<name>/<id>`, for example. */
export function renderLoadBalancingArn(scope: Scope, path: string): string {
  return render(scope, 'elasticloadbalancing', path);
}

/** `loadbalancer/app/<name>/<id>`, `listener/app/...`, `listener-rule/app/...` or `targetgroup/<name>/<id>` */
export function parseLoadBalancingArn(text: string): string | undefined {
  const arn = parseArn(text);
  return arn?.service === 'elasticloadbalancing' ? arn.resource : undefined;
}

/** `arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<name>/<id>` */
export function renderTargetGroupArn(scope: Scope, name: string, id: string): string {
  return render(scope, 'elasticloadbalancing', `targetgroup/${name}/${id}`);
}

// Systems Manager and Secrets Manager.

/** `arn:aws:ssm:<region>:<account>:parameter/<name>`; a name that is a path begins with the slash. */
export function renderParameterArn(scope: Scope, name: string): string {
  return render(scope, 'ssm', `parameter${name.startsWith('/') ? '' : '/'}${name}`);
}

/** The name of a parameter's ARN, with a version or label after a colon if the ARN has one. */
export function parseParameterArn(arn: string): { readonly scope: Scope; readonly name: string } | undefined {
  const [, region, account, name] =
    /^arn:aws[a-z-]*:ssm:([a-z0-9-]+):(\d{12}):parameter(\/[a-zA-Z0-9_.\-/]+(?::[\w.-]+)?)$/.exec(arn) ?? [];
  if (!region || !account || !name) return undefined;
  // The slash belongs to the name only if the name is a path.
  return { scope: { region, account }, name: name.indexOf('/', 1) < 0 ? name.slice(1) : name };
}

/** `arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>` */
export function renderSecretArn(scope: Scope, name: string, suffix: string): string {
  return render(scope, 'secretsmanager', `secret:${name}-${suffix}`);
}

/** A secret's ARN; the six characters after its name may be missing. */
export function parseSecretArn(arn: string): { readonly scope: Scope; readonly name: string } | undefined {
  const [, region, account, name] = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):(\d{12}):secret:(.+)$/.exec(arn) ?? [];
  return region && account && name ? { scope: { region, account }, name } : undefined;
}

// CloudFormation.

/** AWS's patterns for names and ARNs of stacks and change sets, which its validation messages quote. */
export const STACK_NAME_PATTERN = '[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*';
export const CHANGE_SET_NAME_PATTERN = '[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/]*';

/** `arn:aws:cloudformation:<region>:<account>:stack/<name>/<uuid>` */
export function renderStackArn(scope: Scope, name: string, uuid: string): string {
  return render(scope, 'cloudformation', `stack/${name}/${uuid}`);
}

export function renderChangeSetArn(scope: Scope, name: string, uuid: string): string {
  return render(scope, 'cloudformation', `changeSet/${name}/${uuid}`);
}

/** A resource that exists only as a record, for example `arn:aws:kinesis:<region>:<account>:stream/<id>`. */
export function renderRecordedArn(scope: Scope, type: string, id: string): string {
  const [, product = 'unknown', kind = 'resource'] = type.split('::');
  const known = RECORDED_ARNS[type];
  if (known !== undefined) return render(scope, known[0], `${known[1]}${id}`);
  return render(scope, product.toLowerCase(), `${kind.toLowerCase()}/${id}`);
}

/** Service and resource of ARNs that other services check, where they differ from the names of the type. */
const RECORDED_ARNS: Readonly<Record<string, readonly [service: string, prefix: string]>> = {
  'AWS::AmazonMQ::Broker': ['mq', 'broker:'],
  'AWS::Cognito::UserPool': ['cognito-idp', 'userpool/'],
  'AWS::EFS::AccessPoint': ['elasticfilesystem', 'access-point/'],
  'AWS::EFS::FileSystem': ['elasticfilesystem', 'file-system/'],
  'AWS::KinesisFirehose::DeliveryStream': ['firehose', 'deliverystream/'],
  'AWS::Lambda::CapacityProvider': ['lambda', 'capacity-provider:'],
  'AWS::MSK::Cluster': ['kafka', 'cluster/'],
  'AWS::MSK::ServerlessCluster': ['kafka', 'cluster/'],
  'AWS::StepFunctions::Activity': ['states', 'activity:'],
  'AWS::StepFunctions::StateMachine': ['states', 'stateMachine:'],
};
