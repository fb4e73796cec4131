/**
 * Patch operations, with which version 1 changes resources: `{ op: 'replace', path: '/description', value: 'x' }`. Values
 * are texts; numbers, booleans and lists get their types here.
 * https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
 */
import { badRequest } from '../publish.ts';

export type PatchOperation = {
  readonly op?: string | undefined;
  readonly path?: string | undefined;
  readonly value?: string | undefined;
};

const NUMBERS = [
  'timeoutInMillis',
  'authorizerResultTtlInSeconds',
  'minimumCompressionSize',
  'limit',
  'burstLimit',
  'rateLimit',
];
const FLAGS = [
  'apiKeyRequired',
  'cacheClusterEnabled',
  'disableExecuteApiEndpoint',
  'enabled',
  'tracingEnabled',
  'validateRequestBody',
  'validateRequestParameters',
];
const LISTS = [
  'authorizationScopes',
  'binaryMediaTypes',
  'cacheKeyParameters',
  'providerARNs',
  'types',
  'vpcEndpointIds',
];
const UNSAFE = new Set(['__proto__', 'constructor', 'prototype']);

/** Returns the changed document. @throws RestJsonError BadRequestException */
export function applyPatch<Document extends object>(
  document: Document,
  operations: readonly PatchOperation[] = [],
): Document {
  const changed = structuredClone(document) as Record<string, unknown>;
  for (const operation of operations) applyOne(changed, operation);
  return changed as Document;
}

function applyOne(document: Record<string, unknown>, { op = '', path = '', value }: PatchOperation): void {
  const steps = path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = steps.pop();
  if (last === undefined || !path.startsWith('/') || steps.concat(last).some((step) => UNSAFE.has(step))) {
    throw badRequest(`Invalid patch path '${path}' specified for op '${op}'.`);
  }
  if (op !== 'add' && op !== 'replace' && op !== 'remove') {
    throw badRequest(`Invalid patch operation specified. Must be one of: [add, replace, remove]`);
  }
  const listName = LISTS.includes(last) ? last : (steps.at(-1) ?? last);
  let parent = document;
  for (const step of LISTS.includes(listName) && listName !== last ? steps.slice(0, -1) : steps) {
    const next = parent[step];
    if (typeof next === 'object' && next !== null && !Array.isArray(next)) parent = next as Record<string, unknown>;
    else {
      const made: Record<string, unknown> = {};
      parent[step] = made;
      parent = made;
    }
  }
  if (LISTS.includes(listName)) {
    const before = Array.isArray(parent[listName]) ? (parent[listName] as string[]) : [];
    const item = listName === last ? value : last;
    const others = before.filter((one) => one !== item);
    const isWhole = listName === last && op === 'replace';
    const added = item === undefined ? [] : [item];
    parent[listName] =
      op === 'remove'
        ? listName === last && value === undefined
          ? []
          : others
        : [...(isWhole ? [] : others), ...added];
  } else if (op === 'remove') delete parent[last];
  else parent[last] = NUMBERS.includes(last) ? Number(value) : FLAGS.includes(last) ? value === 'true' : value;
}
