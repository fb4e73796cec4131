/**
 * The section Parameters: the values that a stack gives, or the defaults, checked against the declarations. Values of the
 * types AWS::EC2::... are not looked up: any text is taken.
 */
import { violatedConstraint } from './parameter-constraints.ts';
import { nearest } from './suggest.ts';
import { type TemplateProblem, throwProblems } from './template-error.ts';
import { isObject, type Json, type JsonObject, member, numberText } from './tree.ts';

export type ParameterValue = {
  /** What the stack was given, or the default, as text: DescribeStacks shows it. */
  readonly text: string;
  /** What `Ref` returns: text, or a list of texts. */
  readonly value: Json;
  /** For AWS::SSM::Parameter::Value: the value in the parameter store. */
  readonly resolvedText?: string;
  readonly noEcho: boolean;
};

export type ParameterLookups = {
  /** The value of a parameter of the parameter store; undefined if there is none. */
  readonly ssm: (name: string) => Promise<string | undefined> | string | undefined;
};

/** Bytes of a value. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MAX_VALUE_BYTES = 4096;

const SSM_VALUE = /^AWS::SSM::Parameter::Value<(.+)>$/;

/**
 * @param section the template's Parameters
 * @param given values by name, as a request has them
 * @throws TemplateError with every parameter that is unknown, missing or does not satisfy its constraints
 */
export async function resolveParameters(
  section: JsonObject,
  given: ReadonlyMap<string, string>,
  lookups: ParameterLookups,
): Promise<Map<string, ParameterValue>> {
  const problems: TemplateProblem[] = unknownNames(section, given);
  const values = new Map<string, ParameterValue>();
  const missing: string[] = [];
  const unfetched: string[] = [];
  for (const [name, declaration] of Object.entries(section)) {
    if (!isObject(declaration)) continue;
    const text = given.get(name) ?? defaultOf(declaration);
    if (text === undefined) {
      missing.push(name);
      continue;
    }
    const message = invalidity(name, declaration, text);
    if (message !== undefined) problems.push({ message, path: ['Parameters', name] });
    const resolvedText = isSsmValue(declaration) ? await lookups.ssm(text) : undefined;
    if (isSsmValue(declaration) && resolvedText === undefined) unfetched.push(text);
    values.set(name, parameterValue(declaration, text, resolvedText));
  }
  if (missing.length > 0) problems.unshift(missingProblem(missing));
  if (unfetched.length > 0) {
    const message = `Unable to fetch parameters [${unfetched.join(',')}] from parameter store for this account.`;
    problems.push({ message });
  }
  throwProblems(problems);
  return values;
}

/** The default of a declaration as text. Numbers and booleans are taken as they are written. */
export function defaultOf(declaration: JsonObject): string | undefined {
  const value = member(declaration, 'Default');
  if (value === undefined || value === null || typeof value === 'object') return undefined;
  return numberText(declaration, 'Default') ?? String(value);
}

/** The parameter store's names that the values refer to are texts of these parameters. */
export function isSsmValue(declaration: JsonObject): boolean {
  return SSM_VALUE.test(String(member(declaration, 'Type')));
}

function unknownNames(section: JsonObject, given: ReadonlyMap<string, string>): TemplateProblem[] {
  const unknown = [...given.keys()].filter((name) => !Object.hasOwn(section, name));
  if (unknown.length === 0) return [];
  const near = nearest(unknown[0] ?? '', Object.keys(section));
  return [
    {
      message: `Parameters: [${unknown.join(', ')}] do not exist in the template`,
      ...(near !== undefined && { suggestion: `Did you mean ${near}?` }),
    },
  ];
}

function missingProblem(names: readonly string[]): TemplateProblem {
  return {
    message: `Parameters: [${names.join(', ')}] must have values`,
    path: ['Parameters', names[0] ?? ''],
    suggestion: 'Pass a value, or give the parameter a Default.',
  };
}

function invalidity(name: string, declaration: JsonObject, text: string): string | undefined {
  if (Buffer.byteLength(text) > MAX_VALUE_BYTES) {
    return `Parameter '${name}' must not be longer than ${MAX_VALUE_BYTES} bytes`;
  }
  const type = String(member(declaration, 'Type'));
  const items = isList(type) ? splitList(text) : [text];
  for (const item of items) {
    if (isNumeric(type) && !isNumber(item)) return `Parameter '${name}' must be a number.`;
    const message = violatedConstraint(name, declaration, item);
    if (message !== undefined) return message;
  }
  return undefined;
}

function parameterValue(declaration: JsonObject, text: string, resolvedText: string | undefined): ParameterValue {
  const type = String(member(declaration, 'Type'));
  const inner = SSM_VALUE.exec(type)?.[1] ?? type;
  const known = resolvedText ?? text;
  const noEcho = member(declaration, 'NoEcho');
  return {
    text,
    value: isList(inner) ? splitList(known) : known,
    ...(resolvedText !== undefined && { resolvedText }),
    noEcho: noEcho === true || noEcho === 'true',
  };
}

function isList(type: string): boolean {
  return type === 'CommaDelimitedList' || type.startsWith('List<');
}

function isNumeric(type: string): boolean {
  return type === 'Number' || type === 'List<Number>';
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}

/** Items lose the blanks around them. An empty text is an empty list. */
function splitList(text: string): string[] {
  return text === '' ? [] : text.split(',').map((item) => item.trim());
}
