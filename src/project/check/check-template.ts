/** Checks of the template: runtimes, variables, layers, permissions of function URLs, and roles against what the code calls. */
import { AWS_MANAGED_POLICIES } from '../../protocol/aws-managed-policies.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { deprecationOf, runtimeStatusOf } from '../../protocol/runtimes.ts';
import type { Places } from '../../template/places.ts';
import { isObject, type Json, type JsonObject, member } from '../../template/tree.ts';
import type { SdkUse } from './check-sources.ts';
import { type Finding, finding } from './findings.ts';
import { type EvaluatedResource, referenceOf } from './functions.ts';

export type TemplateContext = {
  readonly file: string;
  readonly places: Places;
  readonly resources: readonly EvaluatedResource[];
  /** `2026-12-01`. */
  readonly today: string;
};

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime */
const RESERVED = new Set([
  ...[
    '_HANDLER',
    '_X_AMZN_TRACE_ID',
    'AWS_DEFAULT_REGION',
    'AWS_REGION',
    'AWS_EXECUTION_ENV',
    'AWS_LAMBDA_FUNCTION_NAME',
  ],
  ...['AWS_LAMBDA_FUNCTION_MEMORY_SIZE', 'AWS_LAMBDA_FUNCTION_VERSION', 'AWS_LAMBDA_INITIALIZATION_TYPE'],
  ...['AWS_LAMBDA_LOG_GROUP_NAME', 'AWS_LAMBDA_LOG_STREAM_NAME', 'AWS_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
  ...['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_LAMBDA_RUNTIME_API', 'LAMBDA_TASK_ROOT', 'LAMBDA_RUNTIME_DIR'],
]);

/** Runtimes, variables and layers of each function. */
export function checkConfigurations(context: TemplateContext): Finding[] {
  return context.resources.flatMap(({ type, logicalId, properties }) =>
    type === 'AWS::Lambda::Function' ? checkConfiguration(logicalId, properties, context) : [],
  );
}

function checkConfiguration(logicalId: string, properties: JsonObject, context: TemplateContext): Finding[] {
  const at = (property: string) => placeOf(context, logicalId, property);
  const findings: Finding[] = [];
  const { Runtime: runtime } = properties;
  if (typeof runtime === 'string' && properties.PackageType !== 'Image') {
    const status = runtimeStatusOf(runtime);
    const deprecated = deprecationOf(runtime);
    if (status !== 'accepted') {
      const message =
        status === 'retired' ? `AWS no longer accepts the runtime ${runtime}` : `AWS has no runtime ${runtime}`;
      findings.push(
        finding('runtime-retired', { logicalId, message, remedy: 'Choose a supported runtime.', ...at('Runtime') }),
      );
    } else if (deprecated !== undefined && deprecated <= context.today) {
      const message = `AWS has deprecated the runtime ${runtime} on ${deprecated}`;
      findings.push(
        finding('runtime-deprecated', {
          logicalId,
          message,
          remedy: 'Choose a newer one: updates of the function will be refused in the end.',
          ...at('Runtime'),
        }),
      );
    }
  }
  const variables = member(member(properties, 'Environment'), 'Variables');
  if (isObject(variables)) {
    const bytes = Buffer.byteLength(JSON.stringify(variables));
    if (bytes > QUOTAS.environmentBytes) {
      const message = `the environment variables of ${logicalId} have ${bytes} bytes, and AWS accepts ${QUOTAS.environmentBytes}`;
      findings.push(
        finding('environment-size', {
          logicalId,
          message,
          remedy: 'Put large values into the parameter store, a file or a layer.',
          ...at('Environment'),
        }),
      );
    }
    for (const name of Object.keys(variables).filter((each) => RESERVED.has(each))) {
      findings.push(
        finding('environment-reserved', {
          logicalId,
          message: `AWS sets the variable ${name} itself and refuses it`,
          remedy: 'Use another name.',
          ...at('Environment'),
        }),
      );
    }
  }
  const { Layers: layers } = properties;
  if (Array.isArray(layers) && layers.length > QUOTAS.layersOfFunction) {
    const message = `${logicalId} has ${layers.length} layers, and AWS accepts ${QUOTAS.layersOfFunction}`;
    findings.push(finding('layer-count', { logicalId, message, remedy: 'Merge layers.', ...at('Layers') }));
  }
  return findings;
}

/** Function URLs that are open to everybody, but not by a permission. SAM writes both permissions by itself. */
export function checkUrls(context: TemplateContext): Finding[] {
  const permissions = context.resources.filter(({ type }) => type === 'AWS::Lambda::Permission');
  return context.resources.flatMap(({ type, logicalId, properties }) => {
    if (type !== 'AWS::Lambda::Url' || properties.AuthType !== 'NONE') return [];
    const target = referenceOf(properties.TargetFunctionArn) ?? properties.TargetFunctionArn;
    const allows = (action: string) =>
      permissions.some(({ properties: permission }) => {
        const named = referenceOf(permission.FunctionName) ?? permission.FunctionName;
        return named === target && permission.Action === action && permission.Principal === '*';
      });
    const missing = ['lambda:InvokeFunctionUrl', 'lambda:InvokeFunction'].filter((action) => !allows(action));
    if (missing.length === 0) return [];
    const message = `the URL ${logicalId} has AuthType NONE, and no AWS::Lambda::Permission allows ${missing.join(' and ')} to everybody: AWS responds with 403`;
    const remedy = 'Add permissions with Principal "*" and FunctionUrlAuthType NONE, or InvokedViaFunctionUrl true.';
    return [finding('url-permission', { logicalId, message, remedy, ...placeOf(context, logicalId) })];
  });
}

/** Resources that Lamella only records. */
export function checkRecorded(context: TemplateContext, isRecorded: (type: string) => boolean): Finding[] {
  return context.resources.flatMap(({ type, logicalId }) =>
    isRecorded(type)
      ? finding('resource-recorded', {
          logicalId,
          message: `${logicalId} (${type}) acts on AWS, and Lamella only records it`,
          remedy: 'Test what depends on it on AWS.',
          ...placeOf(context, logicalId),
        })
      : [],
  );
}

/** The place of a property in the source template, or of the closest thing above it. */
function placeOf(
  { file, places }: TemplateContext,
  logicalId: string,
  property?: string,
): { file: string; line: number; column: number } {
  const own = places.of(['Resources', logicalId, 'Properties', property ?? '']);
  const inherited = property === undefined ? undefined : places.of(['Globals', 'Function', property]);
  const { line, column } =
    own ??
    (places.of(['Resources', logicalId, 'Properties']) ? inherited : undefined) ??
    places.near(['Resources', logicalId]);
  return { file, line, column };
}

/** Actions that are not named as the operation that needs them. */
const ACTIONS: Readonly<Record<string, string>> = {
  's3:ListObjectsV2': 's3:ListBucket',
  's3:ListObjects': 's3:ListBucket',
  's3:HeadObject': 's3:GetObject',
  's3:HeadBucket': 's3:ListBucket',
  's3:DeleteObjects': 's3:DeleteObject',
  's3:CopyObject': 's3:PutObject',
  's3:CreateMultipartUpload': 's3:PutObject',
  's3:UploadPart': 's3:PutObject',
  's3:CompleteMultipartUpload': 's3:PutObject',
  'lambda:Invoke': 'lambda:InvokeFunction',
  'lambda:InvokeWithResponseStream': 'lambda:InvokeFunction',
  'sns:PublishBatch': 'sns:Publish',
  'sqs:SendMessageBatch': 'sqs:SendMessage',
  'sqs:DeleteMessageBatch': 'sqs:DeleteMessage',
  'dynamodb:Get': 'dynamodb:GetItem',
  'dynamodb:Put': 'dynamodb:PutItem',
  'dynamodb:Update': 'dynamodb:UpdateItem',
  'dynamodb:Delete': 'dynamodb:DeleteItem',
  'dynamodb:BatchGet': 'dynamodb:BatchGetItem',
  'dynamodb:BatchWrite': 'dynamodb:BatchWriteItem',
  'states:StartExecution': 'states:StartExecution',
};
/** Calls that need no permission, or whose prefix differs too much to judge. */
const UNJUDGED = new Set(['sts', 'execute-api', 'lib-dynamodb']);

/**
 * Calls of the SDK that the role does not allow. Nothing is said of a role that the template does not have, or that has a
 * policy whose statements are not known.
 */
export function checkRole(
  logicalId: string,
  uses: readonly SdkUse[],
  locate: (path: string) => string,
  { resources }: TemplateContext,
): Finding[] {
  const properties = resources.find((resource) => resource.logicalId === logicalId)?.properties;
  const roleId = referenceOf(properties?.Role);
  const role = resources.find((resource) => resource.logicalId === roleId && resource.type === 'AWS::IAM::Role');
  const allowed = role === undefined ? undefined : actionsOf(role, resources);
  if (allowed === undefined) return [];
  const reported = new Set<string>();
  return uses.flatMap(({ path, line, service, operation }) => {
    if (UNJUDGED.has(service)) return [];
    const named = `${service}:${operation ?? '*'}`;
    const action = Object.hasOwn(ACTIONS, named) ? (ACTIONS[named] ?? named) : named;
    const isAllowed = allowed.some((pattern) =>
      operation === undefined ? mayConcern(pattern, service) : matches(pattern, action),
    );
    if (isAllowed || reported.has(action)) return [];
    reported.add(action);
    const what = operation === undefined ? `allows nothing of ${service}` : `does not allow ${action}`;
    const message = `the code uses ${operation === undefined ? `the client of ${service}` : operation}, and the role ${roleId} ${what}`;
    return [
      finding('role-permission', {
        logicalId,
        message,
        remedy: `Add a policy that allows ${operation === undefined ? `the actions of ${service} that it needs` : action}, in Policies of the function.`,
        file: locate(path),
        line,
      }),
    ];
  });
}

/** Patterns of the actions that a role allows; undefined if not all of its policies are known. */
function actionsOf(role: EvaluatedResource, resources: readonly EvaluatedResource[]): string[] | undefined {
  const documents: (Json | undefined)[] = listOf(role.properties.Policies).map((policy) =>
    member(policy, 'PolicyDocument'),
  );
  const actions: string[] = [];
  for (const arn of listOf(role.properties.ManagedPolicyArns)) {
    const own = resources.find(({ logicalId }) => logicalId === referenceOf(arn));
    const name = typeof arn === 'string' ? /:policy\/(.+)$/.exec(arn)?.[1] : undefined;
    if (own?.type === 'AWS::IAM::ManagedPolicy') documents.push(own.properties.PolicyDocument);
    else if (name !== undefined && Object.hasOwn(AWS_MANAGED_POLICIES, name)) {
      for (const { Action } of AWS_MANAGED_POLICIES[name] ?? []) actions.push(...[Action].flat());
    } else return undefined;
  }
  for (const { type, properties } of resources) {
    const isAttached =
      listOf(properties.Roles).some((name) => referenceOf(name) === role.logicalId) ||
      referenceOf(properties.RoleName) === role.logicalId;
    if (/^AWS::IAM::(Policy|ManagedPolicy|RolePolicy)$/.test(type) && isAttached)
      documents.push(properties.PolicyDocument);
  }
  for (const document of documents) {
    for (const statement of listOf(member(document, 'Statement'))) {
      if (member(statement, 'Effect') !== 'Allow') continue;
      // What is not named is allowed.
      if (member(statement, 'NotAction') !== undefined) return undefined;
      for (const action of listOf(member(statement, 'Action'))) actions.push(String(action));
    }
  }
  return actions;
}

function listOf(value: Json | undefined): Json[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function mayConcern(pattern: string, service: string): boolean {
  return pattern === '*' || pattern.toLowerCase().startsWith(`${service}:`);
}

/** `*` and `?` in a pattern of actions, which ignore case. */
function matches(pattern: string, action: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(action);
}
