/** Operations that look at templates: GetTemplate, GetTemplateSummary and ValidateTemplate. */
import { type Capability, neededCapabilities } from '../../stacks/capabilities.ts';
import type { ChangeSets } from '../../stacks/change-sets.ts';
import { loadResourceTypes, resourceType } from '../../stacks/providers/type-table.ts';
import type { Deployment } from '../../stacks/stack.ts';
import { invalid } from '../../stacks/stack-error.ts';
import { defaultOf } from '../../template/parameters.ts';
import { listedTransforms, transformNames } from '../../template/process-template.ts';
import { createReadInTurns, type ReadInTurns } from '../../template/read-in-turns.ts';
import { isObject, type Json, type JsonObject, member, renderJson, section } from '../../template/tree.ts';
import type { CallContext } from '../../wire/api-call.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import { answering } from './cloudformation-errors.ts';
import type { HandlerDependencies, Handlers } from './stack-handlers.ts';
import { readTemplateSource, type TemplateSource } from './template-source.ts';

type TemplateHandlers = Pick<Handlers, 'GetTemplate' | 'GetTemplateSummary' | 'ValidateTemplate'>;

export function createTemplateHandlers(
  dependencies: HandlerDependencies & { readonly changeSets: ChangeSets },
): TemplateHandlers {
  const { stacks, changeSets, readObject } = dependencies;
  const readInTurns = createReadInTurns();
  const read = async (source: TemplateSource, { baseUrl }: CallContext): Promise<JsonObject> => {
    const text = await readTemplateSource(readObject, source, baseUrl);
    if (text === undefined) throw invalid('Either Template URL or Template Body must be specified.');
    return (await readInTurns(text, { aliases: 'refuse', duplicateKeys: 'last' })).body;
  };

  return {
    GetTemplate: ({ StackName, ChangeSetName, TemplateStage = 'Original' }, { scope }) =>
      answering(async () => {
        const deployment = deploymentOf();
        // A stack in REVIEW_IN_PROGRESS has no template yet. The AWS CDK asks for it and compares.
        if (deployment === undefined) return { TemplateBody: '{}', StagesAvailable: ['Original', 'Processed'] };
        const TemplateBody =
          TemplateStage === 'Processed' ? await processedText(deployment, readInTurns) : deployment.template;
        return { TemplateBody, StagesAvailable: ['Original', 'Processed'] };

        function deploymentOf(): Deployment | undefined {
          if (ChangeSetName !== undefined) {
            if (StackName === undefined && !ChangeSetName.includes(':')) {
              throw invalid('StackName is a required parameter.');
            }
            return changeSets.require(scope, ChangeSetName, StackName).deployment;
          }
          if (StackName === undefined) throw invalid('StackName is required if ChangeSetName is not specified.');
          return stacks.require(scope, StackName, `Stack with id ${StackName} does not exist`).document.deployment;
        }
      }),

    GetTemplateSummary: ({ StackName, ...source }, context) =>
      answering(async () => {
        await loadResourceTypes();
        if (StackName === undefined) return summaryOf(await read(source, context));
        const stack = stacks.require(context.scope, StackName, `Stack with id ${StackName} does not exist`);
        const { deployment, status } = stack.document;
        if (status === 'REVIEW_IN_PROGRESS' || deployment === undefined) {
          throw invalid('GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.');
        }
        return summaryOf((await readInTurns(deployment.template, { duplicateKeys: 'last' })).body);
      }),

    ValidateTemplate: (source, context) =>
      answering(async () => {
        const body = await read(source, context);
        const Parameters = declaredParameters(body).map(([name, declaration]) => ({
          ParameterKey: name,
          DefaultValue: defaultOf(declaration),
          NoEcho: isNoEcho(declaration),
          Description: textOf(declaration, 'Description'),
        }));
        return { ...needs(body), Description: textOf(body, 'Description'), Parameters };
      }),
  };
}

/** The text as it was sent, unless a transform changed it. */
async function processedText({ template, processed }: Deployment, read: ReadInTurns): Promise<string> {
  const { body } = await read(template, { duplicateKeys: 'last' });
  return listedTransforms(body).length === 0 && transformNames(body).length === 0 ? template : processed;
}

function summaryOf(body: JsonObject): XmlStructure {
  const Parameters = declaredParameters(body).map(([name, declaration]) => ({
    ParameterKey: name,
    DefaultValue: defaultOf(declaration),
    ParameterType: textOf(declaration, 'Type') ?? 'String',
    NoEcho: isNoEcho(declaration),
    Description: textOf(declaration, 'Description'),
    ParameterConstraints: { AllowedValues: allowedValues(declaration) },
  }));
  const resources = Object.entries(section(body, 'Resources'));
  const byType = new Map<string, string[]>();
  for (const [logicalId, resource] of resources) {
    const type = textOf(resource, 'Type');
    if (type === undefined) continue;
    const others = byType.get(type);
    if (others) others.push(logicalId);
    else byType.set(type, [logicalId]);
  }
  const metadata = member(body, 'Metadata');
  const identifiers = [...byType].flatMap(([ResourceType, LogicalResourceIds]) => {
    const ResourceIdentifiers = resourceType(ResourceType)?.identifier;
    return ResourceIdentifiers ? [{ ResourceType, LogicalResourceIds, ResourceIdentifiers }] : [];
  });
  return {
    Parameters,
    Description: textOf(body, 'Description'),
    ...needs(body),
    ResourceTypes: [...byType.keys()],
    Version: textOf(body, 'AWSTemplateFormatVersion'),
    Metadata: metadata === undefined ? undefined : renderJson(metadata, 0),
    ResourceIdentifierSummaries: identifiers,
  };
}

/** Capabilities and transforms. */
function needs(body: JsonObject): XmlStructure {
  const { capabilities, types } = neededCapabilities(body);
  const transforms = transformNames(body);
  // What a transform will add is not known yet.
  const all: readonly Capability[] = transforms.length > 0 ? [...capabilities, 'CAPABILITY_AUTO_EXPAND'] : capabilities;
  const reason =
    capabilities.length > 0
      ? `The following resource(s) require capabilities: [${types.join(', ')}]`
      : `The following transform(s) require capabilities: [${transforms.join(', ')}]`;
  return {
    Capabilities: all.length > 0 ? all : undefined,
    CapabilitiesReason: all.length > 0 ? reason : undefined,
    DeclaredTransforms: transforms.length > 0 ? transforms : undefined,
  };
}

function declaredParameters(body: JsonObject): readonly (readonly [string, JsonObject])[] {
  return Object.entries(section(body, 'Parameters')).flatMap(([name, declaration]) =>
    isObject(declaration) ? [[name, declaration] as const] : [],
  );
}

function isNoEcho(declaration: JsonObject): boolean {
  return ['true', true].includes(member(declaration, 'NoEcho') as string | boolean);
}

function allowedValues(declaration: JsonObject): readonly string[] | undefined {
  const values = member(declaration, 'AllowedValues');
  return Array.isArray(values) ? values.map(String) : undefined;
}

function textOf(holder: Json, name: string): string | undefined {
  const value = member(holder, name);
  return typeof value === 'string' ? value : undefined;
}
