/**
 * What CloudFormation checks in a template before it looks at values: sections, their members, attributes of resources and
 * the arguments of functions. All problems are found, in the order of the template, each with its path; CloudFormation
 * returns the first. References and conditions are checked when the template is evaluated (`evaluate.ts`).
 */
import { checkFunctions, SUPPORTED_FUNCTIONS } from './check-functions.ts';
import { nearest } from './suggest.ts';
import { type TemplateProblem, throwProblems } from './template-error.ts';
import { MAX_PROBLEMS } from './template-limits.ts';
import { isObject, type Json, type JsonObject, member, onlyKey, type Path, section } from './tree.ts';

/** What is known of a resource type. */
export type ResourceTypeFacts = {
  readonly properties: readonly string[];
  readonly required: readonly string[];
  /** What Fn::GetAtt returns. Empty if that is not known. */
  readonly attributes: readonly string[];
};

export type CheckOptions = {
  /** The facts of a type; undefined for a type that is not known. Without it, properties are not checked. */
  readonly typeOf?: (type: string) => ResourceTypeFacts | undefined;
  /** Names of all known types, for suggestions. */
  readonly typeNames?: Iterable<string>;
};

type Report = (message: string, path: Path, suggestion?: string) => void;

const SECTIONS = [
  'AWSTemplateFormatVersion',
  'Conditions',
  'Description',
  'Globals',
  'Hooks',
  'Mappings',
  'Metadata',
  'Outputs',
  'Parameters',
  'Resources',
  'Rules',
  'Transform',
];
const RESOURCE_ATTRIBUTES = [
  'Condition',
  'CreationPolicy',
  'DeletionPolicy',
  'DependsOn',
  'Description',
  'Metadata',
  'Properties',
  'Type',
  'UpdatePolicy',
  'UpdateReplacePolicy',
  'Version',
];
const PARAMETER_ATTRIBUTES = [
  'AllowedPattern',
  'AllowedValues',
  'ConstraintDescription',
  'Default',
  'Description',
  'MaxLength',
  'MaxValue',
  'MinLength',
  'MinValue',
  'NoEcho',
  'Type',
];
const OUTPUT_ATTRIBUTES = ['Condition', 'Description', 'Export', 'Value'];
const DELETION_POLICIES = ['Delete', 'Retain', 'RetainExceptOnCreate', 'Snapshot'];
const REPLACE_POLICIES = ['Delete', 'Retain', 'Snapshot'];
const PARAMETER_TYPE =
  /^(String|Number|CommaDelimitedList|List<(String|Number)>|(List<)?AWS::[A-Za-z0-9]+::[A-Za-z0-9:]+>?|AWS::SSM::Parameter::(Name|Value<.+>))$/;

/** Quotas: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MAX_MEMBERS = { Resources: 500, Parameters: 200, Outputs: 200, Mappings: 200 } as const;

/** @throws TemplateError with all problems */
export function checkTemplate(body: JsonObject, options: CheckOptions = {}): void {
  throwProblems(findProblems(body, options));
}

/** All problems, without their places. */
export function findProblems(body: JsonObject, options: CheckOptions = {}): TemplateProblem[] {
  const problems: TemplateProblem[] = [];
  const report: Report = (message, path, suggestion) => {
    problems.push({ message, path, ...(suggestion !== undefined && { suggestion }) });
    if (problems.length >= MAX_PROBLEMS) throw new EnoughProblems();
  };
  try {
    checkAll(body, options, report);
  } catch (enough) {
    if (!(enough instanceof EnoughProblems)) throw enough;
  }
  return problems;
}

/** Ends the checks: each problem is compared with what was probably meant. */
class EnoughProblems extends Error {}

function checkAll(body: JsonObject, options: CheckOptions, report: Report): void {
  checkSections(body, report);
  checkParameters(section(body, 'Parameters'), report);
  checkMappings(section(body, 'Mappings'), report);
  checkConditions(section(body, 'Conditions'), report);
  checkResources(body, options, report);
  checkOutputs(section(body, 'Outputs'), report);
  checkFunctions(body, listsExtensions(body), report);
}

function listsExtensions(body: JsonObject): boolean {
  const listed = member(body, 'Transform');
  return (Array.isArray(listed) ? listed : [listed]).includes('AWS::LanguageExtensions');
}

function checkSections(body: JsonObject, report: Report): void {
  const unknown = Object.keys(body).filter((key) => !SECTIONS.includes(key) && !isFunctionKey(key));
  const message = `Invalid template property or properties [${unknown.join(', ')}]`;
  for (const key of unknown) report(message, [key], didYouMean(key, SECTIONS));
  const version = member(body, 'AWSTemplateFormatVersion');
  if (version !== undefined && version !== '2010-09-09') {
    const message = 'Template format error: unsupported value for AWSTemplateFormatVersion.';
    report(message, ['AWSTemplateFormatVersion'], 'The only version is 2010-09-09.');
  }
  const description = member(body, 'Description');
  if (description !== undefined && typeof description !== 'string') {
    report('Template format error: Description must be a string.', ['Description']);
  }
  for (const name of ['Parameters', 'Mappings', 'Conditions', 'Outputs', 'Rules', 'Metadata']) {
    const value = member(body, name);
    if (value === null)
      report(`[/${name}] 'null' values are not allowed in templates`, [name], 'Remove the empty section.');
    else if (value !== undefined && !isObject(value))
      report(`Template format error: ${name} must be an object.`, [name]);
  }
  for (const [name, limit] of Object.entries(MAX_MEMBERS)) {
    const count = Object.keys(section(body, name)).length;
    if (count > limit) {
      report(
        `Template format error: Number of ${name.toLowerCase()}, ${count}, is greater than maximum allowed, ${limit}`,
        [name],
      );
    }
  }
}

function isFunctionKey(key: string): boolean {
  return key === 'Fn::Transform' || key.startsWith('Fn::ForEach::');
}

function checkParameters(parameters: JsonObject, report: Report): void {
  for (const [name, declaration] of Object.entries(parameters)) {
    const path = ['Parameters', name];
    checkName('Parameter', name, path, report);
    if (!isObject(declaration)) {
      report('Template format error: Any Parameters member must be an object.', path);
      continue;
    }
    const type = member(declaration, 'Type');
    if (typeof type !== 'string')
      report('Template format error: Every Parameters object must contain a Type member.', path);
    else if (!PARAMETER_TYPE.test(type)) {
      const near = didYouMean(type, ['String', 'Number', 'CommaDelimitedList', 'List<Number>', 'List<String>']);
      report(`Template format error: Unrecognized parameter type: ${type}`, [...path, 'Type'], near);
    }
    checkKeys(declaration, PARAMETER_ATTRIBUTES, path, (key) => `Invalid template parameter property '${key}'`, report);
  }
}

function checkMappings(mappings: JsonObject, report: Report): void {
  for (const [name, mapping] of Object.entries(mappings)) {
    if (isFunctionKey(name)) continue;
    const path = ['Mappings', name];
    checkName('Mapping', name, path, report);
    if (!isObject(mapping)) {
      report(`Template format error: Every Mappings member ${name} must be a map`, path);
      continue;
    }
    for (const [key, row] of Object.entries(mapping)) {
      if (isFunctionKey(key)) continue;
      if (!isObject(row)) report(`Template format error: Every Mappings member ${key} must be a map`, [...path, key]);
      else checkMappingRow(row, [...path, key], report);
    }
  }
}

function checkMappingRow(row: JsonObject, path: Path, report: Report): void {
  for (const [key, value] of Object.entries(row)) {
    if (isFunctionKey(key)) continue;
    const isScalar = value !== null && typeof value !== 'object';
    const isList = Array.isArray(value) && value.every((item) => item !== null && typeof item !== 'object');
    if (!isScalar && !isList) {
      report('Template format error: Every Mappings attribute must be a String or a List.', [...path, key]);
    }
  }
}

function checkConditions(conditions: JsonObject, report: Report): void {
  const functions = ['Fn::And', 'Fn::Equals', 'Fn::Not', 'Fn::Or', 'Condition'];
  for (const [name, condition] of Object.entries(conditions)) {
    const key = onlyKey(condition);
    if (isFunctionKey(name) || (key !== undefined && functions.includes(key))) continue;
    // `checkFunctions` reports functions that do not exist.
    if (key?.startsWith('Fn::') && !SUPPORTED_FUNCTIONS.includes(key)) continue;
    const path = ['Conditions', name, ...(key === undefined ? [] : [key])];
    report(
      'Template format error: Every Conditions member must be a condition function.',
      path,
      didYouMean(key ?? '', functions),
    );
  }
}

function checkResources(body: JsonObject, options: CheckOptions, report: Report): void {
  const resources = member(body, 'Resources');
  if (!isObject(resources) || Object.keys(resources).length === 0) {
    report('Template format error: At least one Resources member must be defined.', ['Resources']);
    return;
  }
  for (const [name, resource] of Object.entries(resources)) {
    if (isFunctionKey(name)) continue;
    const path = ['Resources', name];
    checkName('Resource', name, path, report);
    if (isObject(resource)) checkResource(resource, path, options, report);
    else report('Template format error: Any Resources member must be an object.', path);
  }
}

function checkResource(resource: JsonObject, path: Path, options: CheckOptions, report: Report): void {
  const type = member(resource, 'Type');
  const isSam = typeof type === 'string' && type.startsWith('AWS::Serverless::');
  if (typeof type !== 'string') {
    if (!Object.hasOwn(resource, 'Fn::Transform')) {
      const message = `Template format error: [/${path.join('/')}] Every Resources object must contain a Type member.`;
      report(message, path, didYouMeanKey(resource, 'Type'));
    }
  } else checkType(type, resource, path, options, report);
  // Recorded: the text has no prefix.
  const message = (key: string) => `Invalid template resource property '${key}'`;
  const isEmbedding = Object.hasOwn(resource, 'Connectors');
  // The SAM transform replaces its own resources, and drops attributes that it does not know.
  if (!isSam)
    checkKeys(
      resource,
      isEmbedding ? [...RESOURCE_ATTRIBUTES, 'Connectors'] : RESOURCE_ATTRIBUTES,
      path,
      message,
      report,
    );
  checkPolicy(resource, 'DeletionPolicy', DELETION_POLICIES, path, report);
  checkPolicy(resource, 'UpdateReplacePolicy', REPLACE_POLICIES, path, report);
  const dependsOn = member(resource, 'DependsOn');
  const isNames =
    typeof dependsOn === 'string' || (Array.isArray(dependsOn) && dependsOn.every((name) => typeof name === 'string'));
  if (dependsOn !== undefined && !isNames) {
    report('Template format error: DependsOn must be a string or list of strings.', [...path, 'DependsOn']);
  }
  const properties = member(resource, 'Properties');
  if (properties !== undefined && properties !== null && !isObject(properties)) {
    report('Template format error: Properties must be an object.', [...path, 'Properties']);
  }
  const condition = member(resource, 'Condition');
  if (condition !== undefined && typeof condition !== 'string') {
    report('Template format error: Every Condition member must be a string.', [...path, 'Condition']);
  }
}

/** A custom resource has the properties and attributes that its function chooses. */
export function isCustom(type: string): boolean {
  return type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource';
}

/** Other transforms than SAM's may add types, so that an unknown type is a problem only where the types are given. */
function checkType(type: string, resource: JsonObject, path: Path, options: CheckOptions, report: Report): void {
  if (!options.typeOf || isCustom(type) || type.startsWith('AWS::Serverless::')) return;
  const facts = options.typeOf(type);
  if (!facts) {
    if (type.startsWith('AWS::')) {
      const near = didYouMean(type, options.typeNames ?? []);
      report(`Template format error: Unrecognized resource types: [${type}]`, [...path, 'Type'], near);
    }
    return;
  }
  const properties = section(resource, 'Properties');
  const at = [...path, 'Properties'];
  for (const key of Object.keys(properties)) {
    if (facts.properties.includes(key) || isFunctionKey(key) || facts.properties.length === 0) continue;
    const message = `Property validation failure: [Encountered unsupported properties in {/}: [${key}]]`;
    report(message, [...at, key], didYouMean(key, facts.properties));
  }
  if (Object.keys(properties).some(isFunctionKey)) return;
  for (const key of facts.required) {
    if (Object.hasOwn(properties, key)) continue;
    report(`Property validation failure: [The property {/${key}} is required]`, at);
  }
}

function checkPolicy(resource: JsonObject, key: string, known: readonly string[], path: Path, report: Report): void {
  const value = member(resource, key);
  // With AWS::LanguageExtensions a policy may be a function.
  if (value === undefined || isObject(value)) return;
  if (typeof value !== 'string') report(`Template format error: Every ${key} member must be a string.`, [...path, key]);
  else if (!known.includes(value)) {
    const message = `Template format error: Unrecognized ${key} ${value} for resource ${path.at(-1)}`;
    report(message, [...path, key], didYouMean(value, known));
  }
}

function checkOutputs(outputs: JsonObject, report: Report): void {
  for (const [name, output] of Object.entries(outputs)) {
    if (isFunctionKey(name)) continue;
    const path = ['Outputs', name];
    checkName('Output', name, path, report);
    if (!isObject(output)) {
      report('Template format error: Any Outputs member must be an object.', path);
      continue;
    }
    if (!Object.hasOwn(output, 'Value')) {
      report(
        'Template format error: Every Outputs member must contain a Value object',
        path,
        didYouMeanKey(output, 'Value'),
      );
    } else if (output.Value === null) {
      report(`[/${path.join('/')}/Value] 'null' values are not allowed in templates`, [...path, 'Value']);
    }
    checkKeys(output, OUTPUT_ATTRIBUTES, path, (key) => `Invalid template output property '${key}'`, report);
  }
}

/** Keys outside of a list of known ones. */
function checkKeys(
  holder: JsonObject,
  known: readonly string[],
  path: Path,
  message: (key: string) => string,
  report: Report,
): void {
  for (const key of Object.keys(holder)) {
    if (!known.includes(key) && !isFunctionKey(key)) report(message(key), [...path, key], didYouMean(key, known));
  }
}

function checkName(kind: string, name: string, path: Path, report: Report): void {
  if (/^[A-Za-z0-9]+$/.test(name)) return;
  report(`Template format error: ${kind} name ${name} is non alphanumeric.`, path, 'Use letters and digits only.');
}

function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const near = nearest(name, known);
  return near === undefined ? undefined : `Did you mean ${near}?`;
}

/** A suggestion where the holder has a key that looks like the missing one. */
function didYouMeanKey(holder: Json, key: string): string | undefined {
  const written = nearest(key, Object.keys(isObject(holder) ? holder : {}));
  return written === undefined ? `Add ${key}.` : `Did you mean ${key} by ${written}?`;
}
