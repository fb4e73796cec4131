/**
 * CloudFormation's texts for functions that are not as they should be. Recorded on AWS (LocalStack's snapshots of
 * `tests/aws/services/cloudformation`) or reported by users in public issues.
 */

/** What the argument of each function must be. */
export const FUNCTION_ERRORS = {
  Ref: 'Template error: every Ref object must have a single String value.',
  'Fn::Base64': 'Template error: every Fn::Base64 object must have a String-typed value.',
  'Fn::Cidr':
    'Template error: every Fn::Cidr object requires two or three parameters, (1) an IP address block, (2) a number of CIDRs and (3) the number of subnet bits.',
  'Fn::FindInMap':
    'Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value',
  'Fn::GetAtt':
    'Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute',
  'Fn::GetAZs': 'Template error: every Fn::GetAZs object must have a String-typed value.',
  'Fn::If': 'Template error: Fn::If requires a list argument with three elements',
  'Fn::ImportValue': 'Template error: every Fn::ImportValue object must have a String-typed value.',
  'Fn::Join':
    'Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.',
  'Fn::Length': 'Template error: Fn::Length requires a list or a function that returns a list.',
  'Fn::Select': 'Template error: Fn::Select requires a list argument with two elements: an integer index and a list',
  'Fn::Split':
    'Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.',
  'Fn::Sub':
    "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string",
  'Fn::ToJsonString': 'Template error: Fn::ToJsonString requires a map or a list.',
  'Fn::Transform': 'Key Name of transform definition must be a string.',
  'Fn::Equals': 'Template error: every Fn::Equals object requires a list of 2 string parameters.',
  'Fn::And': 'Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.',
  'Fn::Or': 'Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters.',
  'Fn::Not': 'Template error: every Fn::Not object requires one boolean parameter.',
  Condition: 'Template error: every Condition member must be a string.',
} as const;

export type FunctionName = keyof typeof FUNCTION_ERRORS;

/** Functions that only the transform AWS::LanguageExtensions knows. */
export const EXTENSION_FUNCTIONS: ReadonlySet<string> = new Set(['Fn::Length', 'Fn::ToJsonString']);

/** Functions that return true or false, which stand in Conditions and Rules. */
export const BOOLEAN_FUNCTIONS: ReadonlySet<string> = new Set([
  'Fn::And',
  'Fn::Or',
  'Fn::Not',
  'Fn::Equals',
  'Condition',
]);

export const SUB_NAME_ERROR =
  'Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons';

export function unsupportedFunction(name: string, supported: readonly string[]): string {
  return `Template error: Encountered unsupported function: ${name} Supported functions are: [${supported.join(', ')}]`;
}

export function unresolvedDependencies(names: readonly string[], block: 'Resources' | 'Outputs'): string {
  // Recorded: the text for outputs has no prefix.
  const prefix = block === 'Resources' ? 'Template format error: ' : '';
  return `${prefix}Unresolved resource dependencies [${names.join(', ')}] in the ${block} block of the template`;
}
