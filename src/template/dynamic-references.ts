/**
 * Dynamic references: `{{resolve:ssm:NAME:VERSION}}`, `{{resolve:ssm-secure:...}}` and
 * `{{resolve:secretsmanager:SECRET:SecretString:KEY:STAGE:VERSION}}` inside texts, resolved when a resource is made.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
 */
import { arnElements, isArn } from '../protocol/arn.ts';
import { parseJson } from '../protocol/json.ts';
import { TemplateError } from './template-error.ts';
import { fromParsed, isObject, type Json, keepNumberTexts, member, object, type Path } from './tree.ts';

export type DynamicReference =
  | { readonly service: 'ssm' | 'ssm-secure'; readonly name: string; readonly version?: string }
  | {
      readonly service: 'secretsmanager';
      /** Name or ARN. */
      readonly secretId: string;
      /** The key of a JSON secret; the whole text without it. */
      readonly jsonKey?: string;
      readonly versionStage?: string;
      readonly versionId?: string;
    };

/** The parameter's value, or the whole text of the secret. Undefined if there is none. */
export type DynamicLookup = (reference: DynamicReference) => Promise<string | undefined> | string | undefined;

const REFERENCE = /\{\{resolve:(ssm-secure|ssm|secretsmanager):([^{}]*)\}\}/g;

/** A copy of the tree in which every dynamic reference is replaced. @throws TemplateError for one without a value */
export async function resolveDynamicReferences(node: Json, lookup: DynamicLookup, path: Path = []): Promise<Json> {
  if (typeof node === 'string') return resolveText(node, lookup, path);
  if (node === null || typeof node !== 'object') return node;
  if (Array.isArray(node)) {
    const items: Json[] = [];
    for (const [index, item] of node.entries())
      items.push(await resolveDynamicReferences(item, lookup, [...path, index]));
    return keepNumberTexts(node, items);
  }
  const made = object();
  for (const [key, item] of Object.entries(node))
    made[key] = await resolveDynamicReferences(item, lookup, [...path, key]);
  return keepNumberTexts(node, made);
}

/** The references in a text, in its order. */
export function dynamicReferencesIn(text: string): DynamicReference[] {
  return [...text.matchAll(REFERENCE)].flatMap(([, service = '', rest = '']) => parse(service, rest) ?? []);
}

async function resolveText(text: string, lookup: DynamicLookup, path: Path): Promise<string> {
  if (!text.includes('{{resolve:')) return text;
  let made = '';
  let end = 0;
  for (const match of text.matchAll(REFERENCE)) {
    const [whole, service = '', rest = ''] = match;
    made += text.slice(end, match.index) + (await valueOfReference(whole, parse(service, rest), lookup, path));
    end = match.index + whole.length;
  }
  return made + text.slice(end);
}

async function valueOfReference(
  whole: string,
  reference: DynamicReference | undefined,
  lookup: DynamicLookup,
  path: Path,
): Promise<string> {
  if (!reference)
    throw new TemplateError({ message: `Incorrect format is used in the following dynamic reference: ${whole}`, path });
  const value = await lookup(reference);
  if (value === undefined) throw new TemplateError({ message: missing(reference), path });
  if (reference.service !== 'secretsmanager' || reference.jsonKey === undefined) return value;
  const found = member(parsed(value), reference.jsonKey);
  if (found === undefined || found === null || typeof found === 'object') {
    throw new TemplateError({ message: 'Could not find a value associated with JSONKey in SecretString', path });
  }
  return String(found);
}

function missing(reference: DynamicReference): string {
  return reference.service === 'secretsmanager'
    ? "Secrets Manager can't find the specified secret."
    : `Unable to fetch parameters [${reference.name}] from parameter store for this account.`;
}

function parsed(text: string): Json {
  try {
    const value = fromParsed(parseJson(text));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function parse(service: string, rest: string): DynamicReference | undefined {
  if (service === 'secretsmanager') return parseSecret(rest);
  const [name = '', version] = rest.split(':');
  if (name === '' || rest.split(':').length > 2) return undefined;
  return { service: service as 'ssm' | 'ssm-secure', name, ...(version !== undefined && { version }) };
}

/** `SECRET:SecretString:KEY:STAGE:VERSION`, where SECRET is a name or an ARN, and the others may be empty or absent. */
function parseSecret(rest: string): DynamicReference | undefined {
  const parts = isArn(rest) ? arnElements(rest) : rest.split(':');
  const idLength = isArn(rest) ? 7 : 1;
  const secretId = parts.slice(0, idLength).join(':');
  const [kind = 'SecretString', jsonKey = '', versionStage = '', versionId = '', ...more] = parts.slice(idLength);
  if (secretId === '' || (kind !== 'SecretString' && kind !== '') || more.length > 0) return undefined;
  return {
    service: 'secretsmanager',
    secretId,
    ...(jsonKey && { jsonKey }),
    ...(versionStage && { versionStage }),
    ...(versionId && { versionId }),
  };
}
