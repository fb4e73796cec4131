/**
 * What Parameter Store accepts: names, values, patterns and tiers, in its words.
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 */
import { createRequire } from 'node:module';
import { parseParameterArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { SSM_QUOTAS } from '../../protocol/ssm-operations.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { Parameter, ParameterDraft } from './parameter-store.ts';

const NAME_RULE =
  'If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of ' +
  'letters, numbers and the following 3 symbols .-_';

export function invalid(message: string): JsonError {
  return new JsonError('ValidationException', message);
}

export function notFound(name?: string): JsonError {
  // AWS's message is empty.
  return new JsonError('ParameterNotFound', name === undefined ? '' : `Parameter ${name} not found.`);
}

/** @throws JsonError if a parameter cannot be created under this name */
export function checkNewName(name: string): void {
  if (!name.startsWith('/') && name.includes('/')) throw invalid('Parameter name must be a fully qualified name.');
  if (!/^[a-zA-Z0-9_.\-/]+$/.test(name)) {
    throw invalid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). ${NAME_RULE}`);
  }
  if (/^\/?aws/i.test(name)) {
    throw new JsonError('AccessDeniedException', `No access to reserved parameter name: ${name}.`);
  }
  if (/^\/?ssm/i.test(name)) {
    throw invalid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). ${NAME_RULE}`);
  }
  if (name.endsWith('/') || name.includes('//')) {
    throw invalid(`Parameter name must not end with "/" or have empty sub-paths. ${NAME_RULE}`);
  }
  if (name.split('/').length - 1 > SSM_QUOTAS.levels) {
    const message = `Hierarchies can have a maximum of ${SSM_QUOTAS.levels} levels. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html`;
    throw new JsonError('HierarchyLevelLimitExceededException', message);
  }
}

/** @throws JsonError if the value does not fit the pattern, the type or the tier */
export function checkValue({ value, type, tier, allowedPattern, dataType }: ParameterDraft): void {
  if (value === '') {
    throw invalid(
      "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.",
    );
  }
  const bytes = Buffer.byteLength(value);
  if (tier === 'Standard' && bytes > SSM_QUOTAS.standardValueBytes) {
    throw invalid(
      `Standard tier parameters support a maximum parameter value of ${SSM_QUOTAS.standardValueBytes} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html`,
    );
  }
  if (bytes > SSM_QUOTAS.advancedValueBytes) {
    throw invalid(
      `Advanced tier parameters support a maximum parameter value of ${SSM_QUOTAS.advancedValueBytes} characters.`,
    );
  }
  if (type === 'StringList' && value.split(',').includes('')) {
    throw invalid("Parameter value of type StringList can't contain empty elements between commas.");
  }
  if (!['text', 'aws:ec2:image', 'aws:ssm:integration'].includes(dataType)) {
    throw invalid(`The following data type is not supported: ${dataType} (Data type names are all lowercase.)`);
  }
  if (allowedPattern && !fits(value, allowedPattern)) {
    const message = `Parameter value, cannot be validated against allowedPattern: ${allowedPattern}`;
    throw new JsonError('ParameterPatternMismatchException', message);
  }
}

/** In linear time: the pattern is the client's. */
function fits(value: string, pattern: string): boolean {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
  let compiled: import('re2js').RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new JsonError('InvalidAllowedPatternException', `The pattern ${pattern} is not valid: ${reason}`);
  }
  return compiled.matcher(value).find();
}

/** A parameter as requests name it: `name`, `name:3`, `name:label` or an ARN. */
export type Selector = {
  readonly scope: Scope;
  readonly name: string;
  /** `:3` or `:label`; part of the response. */
  readonly selector: string | undefined;
};

export function parseSelector(scope: Scope, text: string): Selector {
  const arn = parseParameterArn(text);
  const [, name = text, selector] = /^([^:]*)(:[^:]*)?$/.exec(arn?.name ?? text) ?? [];
  return { scope: arn?.scope ?? scope, name, selector };
}

/** The version that a selector names. @throws JsonError ParameterVersionNotFound */
export function selectVersion(versions: readonly Parameter[], { name, selector }: Selector): Parameter | undefined {
  if (selector === undefined || versions.length === 0) return versions.at(-1);
  const wanted = selector.slice(1);
  const found = /^\d+$/.test(wanted)
    ? versions.find(({ version }) => version === Number(wanted))
    : versions.find(({ labels }) => labels.includes(wanted));
  if (found !== undefined) return found;
  const what = /^\d+$/.test(wanted) ? `version ${wanted}` : `label ${wanted}`;
  const message = `Systems Manager could not find ${what} of ${name}. Verify the version and try again.`;
  throw new JsonError('ParameterVersionNotFound', message);
}
