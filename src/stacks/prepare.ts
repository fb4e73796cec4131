/**
 * From a request to what the engine works with: reads the template, applies its transforms, checks it as CloudFormation
 * does before it makes anything, and evaluates it. `desiredOf` does the last step again for a deployment that is stored.
 */
import { checkTemplate } from '../template/check-template.ts';
import { evaluateTemplate } from '../template/evaluate.ts';
import { type ProcessedTemplate, processTemplate } from '../template/process-template.ts';
import { createReadInTurns } from '../template/read-in-turns.ts';
import { readTemplate } from '../template/read-template.ts';
import { TemplateError } from '../template/template-error.ts';
import { type JsonObject, member, renderJson } from '../template/tree.ts';
import { requireCapabilities } from './capabilities.ts';
import { TransformFailure } from './change-sets.ts';
import type { DesiredResource, DesiredStack, ExistingResources, Reference } from './engine/desired-stack.ts';
import type { CreationPolicy, Json, Properties } from './providers/provider.ts';
import type { ProviderRegistry } from './providers/registry.ts';
import { loadResourceTypes } from './providers/type-table.ts';
import type { DeletionPolicy, Deployment, StackParameter } from './stack.ts';
import { invalid } from './stack-error.ts';
import type { GivenParameter, Prepare, StackIdentity, StackRequest } from './stack-request.ts';
import type { StackStore } from './stack-store.ts';

export type PrepareDependencies = {
  readonly store: StackStore;
  readonly registry: ProviderRegistry;
  /** The value of a parameter of the parameter store. */
  readonly ssmParameter: (scope: StackIdentity['scope'], name: string) => Promise<string | undefined>;
  /** The text of an object, by an `s3://` location. @throws Error whose message is shown */
  readonly readSnippet: (location: string) => Promise<string>;
  /** Refuses templates with types that have no effect here (`--unsupported=fail`). */
  readonly refusesRecorded: boolean;
};

export function createPrepare(dependencies: PrepareDependencies): Prepare {
  const read = createReadInTurns();
  return async (stack, request, previous) => {
    await loadResourceTypes();
    const template = request.template ?? previous?.template;
    if (template === undefined) throw invalid('Either Template URL or Template Body must be specified.');
    const { body } = await read(template, { aliases: 'refuse', duplicateKeys: 'last' });
    checkTemplate(body);
    const processed = await process(dependencies, stack, body, request, previous);
    const transforms = request.isDirect ? processed.transforms : [];
    requireCapabilities({ body: processed.body, transforms }, request.capabilities ?? previous?.capabilities ?? []);
    const deployment = deploymentOf(template, processed, request, previous);
    const desired = desiredOf(dependencies, stack, deployment);
    checkTypes(dependencies, desired, request.resourceTypes);
    return { deployment, desired };
  };
}

async function process(
  { ssmParameter, readSnippet }: PrepareDependencies,
  stack: StackIdentity,
  body: JsonObject,
  request: StackRequest,
  previous: Deployment | undefined,
): Promise<ProcessedTemplate> {
  try {
    return await processTemplate(body, {
      stack: factsOf(stack, request.notificationArns ?? previous?.notificationArns ?? []),
      given: givenValues(request.parameters, previous),
      lookups: { ssm: (name) => ssmParameter(stack.scope, name) },
      fetchSnippet: readSnippet,
    });
  } catch (failure) {
    if (!(failure instanceof TemplateError) || !failure.message.startsWith('Transform ')) throw failure;
    throw new TransformFailure(failure.message);
  }
}

function factsOf({ id, name, scope }: StackIdentity, notificationArns: readonly string[]) {
  return { region: scope.region, accountId: scope.account, stackName: name, stackId: id, notificationArns };
}

/** @throws StackError for a previous value that does not exist */
function givenValues(parameters: readonly GivenParameter[], previous: Deployment | undefined): Map<string, string> {
  return new Map(
    parameters.map(({ key, value, usePrevious }) => {
      if (!usePrevious) return [key, value ?? ''];
      const old = previous?.parameters.find((parameter) => parameter.key === key);
      if (old !== undefined) return [key, old.value];
      throw invalid(`Parameters: [${key}] must have values`);
    }),
  );
}

function deploymentOf(
  template: string,
  { body, parameters, hasExtensions }: ProcessedTemplate,
  request: StackRequest,
  previous: Deployment | undefined,
): Deployment {
  const roleArn = request.roleArn ?? previous?.roleArn;
  const description = member(body, 'Description');
  return {
    template,
    processed: renderJson(body, 0),
    hasExtensions,
    parameters: [...parameters].map(
      ([key, { text, value, resolvedText, noEcho }]): StackParameter => ({
        key,
        value: text,
        ref: value,
        ...(resolvedText !== undefined && { resolvedValue: resolvedText }),
        ...(noEcho && { noEcho }),
      }),
    ),
    tags: request.tags ?? previous?.tags ?? {},
    capabilities: request.capabilities ?? previous?.capabilities ?? [],
    notificationArns: request.notificationArns ?? previous?.notificationArns ?? [],
    ...(roleArn !== undefined && { roleArn }),
    ...(typeof description === 'string' && { description }),
  };
}

/** What a stored deployment asks for. @throws TemplateError */
export function desiredOf(
  { store }: Pick<PrepareDependencies, 'store'>,
  stack: StackIdentity,
  deployment: Deployment,
): DesiredStack {
  const used = new Set<string>();
  const { body } = readTemplate(deployment.processed, {});
  const evaluated = evaluateTemplate(body, {
    stack: factsOf(stack, deployment.notificationArns),
    parameters: new Map(deployment.parameters.map(({ key, ref }) => [key, ref as never])),
    exportedValue(name) {
      const found = store.exported(stack.scope, name);
      // A stack cannot import what it exports itself.
      if (found === undefined || found.stack === stack.id) return undefined;
      used.add(name);
      return found.value;
    },
    hasExtensions: deployment.hasExtensions === true,
  });
  const resources = new Map(
    [...evaluated.resources].map(([logicalId, resource]): [string, DesiredResource] => [
      logicalId,
      {
        logicalId,
        type: resource.type,
        dependsOn: resource.dependsOn,
        deletionPolicy: policyOf(resource.deletionPolicy),
        updateReplacePolicy: policyOf(resource.updateReplacePolicy),
        ...(resource.metadata !== undefined && { metadata: resource.metadata as Json }),
        ...(resource.creationPolicy !== undefined && { creationPolicy: resource.creationPolicy as CreationPolicy }),
      },
    ]),
  );
  const known = (existing: ExistingResources) => ({
    ref: (logicalId: string) => existing.physicalId(logicalId),
    attribute: (logicalId: string, name: string) => existing.attribute(logicalId, name) as never,
  });
  return {
    resources,
    properties: (logicalId, existing) => evaluated.properties(logicalId, known(existing)) as Properties,
    outputs: (existing) =>
      evaluated.outputs(known(existing)).map((output) => ({ ...output, value: outputText(output.key, output.value) })),
    imports: () => [...used],
    references: (logicalId, property) =>
      (evaluated.resources.get(logicalId)?.references ?? [])
        .filter(({ path }) => path[3] === property)
        .map(
          ({ name, attribute }): Reference => ({
            kind: resources.has(name) ? 'resource' : 'parameter',
            name,
            attribute,
          }),
        ),
  };
}

function policyOf(given: string | undefined): DeletionPolicy {
  return given === 'Retain' || given === 'RetainExceptOnCreate' || given === 'Snapshot' ? given : 'Delete';
}

/** @throws StackError for a list or a map */
function outputText(key: string, value: Json): string {
  if (typeof value === 'object' && value !== null) {
    throw invalid(`Template format error: The Value field of every Outputs member must evaluate to a String. (${key})`);
  }
  return String(value);
}

/** @throws StackError */
function checkTypes(
  { registry, refusesRecorded }: PrepareDependencies,
  { resources }: DesiredStack,
  allowed: readonly string[] | undefined,
): void {
  const all = [...resources.values()];
  const unknown = [...new Set(all.map(({ type }) => type))].filter((type) => registry.find(type) === undefined);
  if (unknown.length > 0) {
    throw invalid(`Template format error: Unrecognized resource types: [${unknown.sort().join(', ')}]`);
  }
  refuseSnapshots(all);
  if (allowed !== undefined && allowed.length > 0) {
    const isAllowed = (type: string) => allowed.some((pattern) => matchesType(pattern, type));
    const refused = all.find(({ type }) => !isAllowed(type));
    if (refused !== undefined) {
      throw invalid(`Resource type ${refused.type} is not allowed by parameter ResourceTypes [${allowed.join(', ')}]`);
    }
  }
  const recorded = refusesRecorded ? all.filter(({ type }) => registry.isRecorded(type)) : [];
  if (recorded.length > 0) {
    const list = recorded.map(({ logicalId, type }) => `${logicalId} (${type})`).join(', ');
    throw invalid(
      `Lamella was started with --unsupported=fail and has no effect for these resources: ${list}. Remove them, put them ` +
        'behind a condition, or start Lamella without the option: it then records them.',
    );
  }
}

/** Types of which CloudFormation makes a snapshot. All of them are recorded here, without data to save. */
const WITH_SNAPSHOTS: ReadonlySet<string> = new Set([
  'AWS::DocDB::DBCluster',
  'AWS::EC2::Volume',
  'AWS::ElastiCache::CacheCluster',
  'AWS::ElastiCache::ReplicationGroup',
  'AWS::Neptune::DBCluster',
  'AWS::RDS::DBCluster',
  'AWS::RDS::DBInstance',
  'AWS::Redshift::Cluster',
]);

/** @throws StackError */
function refuseSnapshots(resources: readonly DesiredResource[]): void {
  for (const { type, deletionPolicy, updateReplacePolicy } of resources) {
    if (WITH_SNAPSHOTS.has(type)) continue;
    const policy =
      deletionPolicy === 'Snapshot' ? 'deletion' : updateReplacePolicy === 'Snapshot' ? 'update replace' : undefined;
    if (policy === undefined) continue;
    throw invalid(`Template error: resource type ${type} does not support ${policy} policy Snapshot`);
  }
}

/** `AWS::EC2::*`, `AWS::*`, `Custom::*` or one type. */
function matchesType(pattern: string, type: string): boolean {
  return pattern.endsWith('::*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}
