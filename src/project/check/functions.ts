/**
 * The functions of a template as AWS will see them: after the SAM transform, with the values of parameters. What only the
 * stack knows (another resource's name or ARN) stays a reference.
 */
import { renderStackArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { evaluateTemplate } from '../../template/evaluate.ts';
import { withSampleArtifacts } from '../../template/local-artifacts.ts';
import { defaultOf } from '../../template/parameters.ts';
import { processTemplate } from '../../template/process-template.ts';
import { UNKNOWN } from '../../template/resolve.ts';
import { TemplateError } from '../../template/template-error.ts';
import { copy, isObject, type JsonObject, objectOf, section } from '../../template/tree.ts';

export type EvaluatedResource = { readonly logicalId: string; readonly type: string; readonly properties: JsonObject };

const ACCOUNT = '123456789012';
const STACK = 'checked-stack';
const REFERENCE = /^lamella-reference:([A-Za-z0-9]+)(?:\.([\w.]+))?$/;

/** The resources of the template. Undefined if it has problems: `lamella validate` shows them. */
export async function evaluateResources(
  body: JsonObject,
  { region, parameters }: { readonly region: string; readonly parameters: ReadonlyMap<string, string> },
): Promise<EvaluatedResource[] | undefined> {
  const scope = { region, account: ACCOUNT } as Scope;
  const stackId = renderStackArn(scope, STACK, '00000000-0000-0000-0000-000000000000');
  const stack = { region, accountId: ACCOUNT, stackName: STACK, stackId };
  const unset = Object.entries(section(body, 'Parameters')).filter(
    ([name, each]) => isObject(each) && defaultOf(each) === undefined && !parameters.has(name),
  );
  const loosened = withoutConstraints(
    body,
    unset.map(([name]) => name),
  );
  try {
    const processed = await processTemplate(withSampleArtifacts(loosened), {
      stack,
      given: new Map([...unset.map(([name]) => [name, UNKNOWN] as const), ...parameters]),
      lookups: { ssm: (name) => name },
      fetchSnippet: async () => undefined,
      serverlessApplication: (applicationId) => applicationId,
    });
    const evaluated = evaluateTemplate(processed.body, {
      stack,
      parameters: new Map([...processed.parameters].map(([name, { value }]) => [name, value])),
      exportedValue: (name) => name,
      hasExtensions: processed.hasExtensions,
    });
    const known = {
      ref: (logicalId: string) => `lamella-reference:${logicalId}`,
      attribute: (logicalId: string, name: string) => `lamella-reference:${logicalId}.${name}`,
    };
    return [...evaluated.resources.values()].map(({ logicalId, type }) => ({
      logicalId,
      type,
      properties: evaluated.properties(logicalId, known),
    }));
  } catch (failure) {
    if (failure instanceof TemplateError) return undefined;
    throw failure;
  }
}

/** The template without what an unknown value might violate: types and constraints of these parameters, and rules. */
function withoutConstraints(body: JsonObject, names: readonly string[]): JsonObject {
  if (names.length === 0) return body;
  const made = copy(body);
  for (const name of names) section(made, 'Parameters')[name] = objectOf({ Type: 'String' });
  delete made.Rules;
  return made;
}

/** The logical ID that a value refers to. */
export function referenceOf(value: unknown): string | undefined {
  return typeof value === 'string' ? REFERENCE.exec(value)?.[1] : undefined;
}
