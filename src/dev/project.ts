/**
 * The project that `lamella dev` runs: a template, or a directory with one function (`function-directory.ts`). Makes the
 * template to deploy from it: with the locations of the code, names for functions, and the developer's variables.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import {
  type Artifact,
  findArtifacts,
  findLocalFiles,
  type LocalFile,
  type ProjectTemplate,
} from '../project/build/artifacts.ts';
import { readProjectTemplate, setAt } from '../project/build/build-project.ts';
import { readTemplate } from '../template/read-template.ts';
import { copy, isObject, type Json, type JsonObject, member, object, renderJson, section } from '../template/tree.ts';
import type { FunctionVariables } from './environment-files.ts';
import { templateOfDirectory } from './function-directory.ts';

/** Where a project is. */
export type ProjectPlace = {
  /** The template; undefined for a directory without one. */
  readonly file: string | undefined;
  /** The directory of the template, or of the function. */
  readonly directory: string;
  /** The file or directory of a function without a template. */
  readonly code: string;
};

export type Project = ProjectTemplate & {
  readonly artifacts: readonly Artifact[];
  readonly files: readonly LocalFile[];
};

const TEMPLATE_NAMES = ['template.yaml', 'template.yml', 'template.json'];
const TEMPLATE_ENDINGS = /\.(ya?ml|json|template)$/;

/**
 * Finds the project of an argument of the command line: a template, a file with a handler, or a directory.
 * @throws OperatorError 'file-unreadable', 'no-function'
 */
export function findProject(argument = '.'): ProjectPlace {
  const place = resolve(argument);
  const stats = statSync(place, { throwIfNoEntry: false });
  if (stats === undefined)
    throw new OperatorError('file-unreadable', { file: argument, reason: 'no such file or directory' });
  if (stats.isFile() && TEMPLATE_ENDINGS.test(place)) return { file: place, directory: dirname(place), code: place };
  const name = stats.isDirectory() ? TEMPLATE_NAMES.find((candidate) => existsSync(join(place, candidate))) : undefined;
  if (name !== undefined) return { file: join(place, name), directory: place, code: place };
  const { directory } = templateOfDirectory(place);
  return { file: undefined, directory, code: place };
}

/** Reads the template and what it refers to. @throws TemplateError, OperatorError */
export async function readProject(place: ProjectPlace, parameters: ReadonlyMap<string, string>): Promise<Project> {
  const template = place.file === undefined ? madeTemplate(place.code) : await readProjectTemplate(place.file);
  const files = findLocalFiles(template);
  const nested = files.find(({ isTemplate }) => isTemplate);
  if (nested !== undefined) {
    const { file, line, column } = nested.place;
    throw new OperatorError('dev-nested-stack', { place: `${file}:${line}:${column}`, template: nested.written });
  }
  return { ...template, artifacts: findArtifacts(template, parameters), files };
}

function madeTemplate(code: string): ProjectTemplate {
  const { directory, body } = templateOfDirectory(code);
  const { places } = readTemplate(renderJson(body));
  return { file: join(directory, 'template.yaml'), body, places };
}

export type Replacements = {
  /** By logical ID. */
  readonly locations: ReadonlyMap<string, Json>;
  readonly files: ReadonlyMap<LocalFile, Json>;
  readonly variables: FunctionVariables;
};

/** The text of the template to deploy. */
export function renderProject({ body: source, artifacts }: Project, replacements: Replacements): string {
  const { locations, files, variables } = replacements;
  const body = copy(source);
  for (const { logicalId, path } of artifacts) setAt(body, path, locations.get(logicalId) ?? null);
  for (const [{ path }, location] of files) setAt(body, path, location);
  const globals = section(section(body, 'Globals'), 'Function');
  // Each function has its own location now.
  if (typeof globals.CodeUri === 'string') delete globals.CodeUri;
  if (isObject(member(body, 'Globals')) && Object.keys(globals).length === 0) delete section(body, 'Globals').Function;
  if (isObject(body.Globals) && Object.keys(body.Globals).length === 0) delete body.Globals;
  for (const [logicalId, resource] of Object.entries(section(body, 'Resources'))) {
    if (isObject(resource) && isFunction(resource)) prepareFunction(logicalId, resource, variables);
  }
  return renderJson(body);
}

function isFunction(resource: JsonObject): boolean {
  return resource.Type === 'AWS::Serverless::Function' || resource.Type === 'AWS::Lambda::Function';
}

/** On AWS a function without a name gets one with a random end. Here it has that of its resource, which people can type. */
function prepareFunction(logicalId: string, resource: JsonObject, { all, byFunction }: FunctionVariables): void {
  const properties = isObject(member(resource, 'Properties')) ? section(resource, 'Properties') : object();
  resource.Properties = properties;
  properties.FunctionName ??= logicalId;
  const name = properties.FunctionName;
  const named = typeof name === 'string' ? byFunction[name] : undefined;
  const added = { ...all, ...named, ...byFunction[logicalId] };
  if (Object.keys(added).length === 0) return;
  const environment = isObject(member(properties, 'Environment')) ? section(properties, 'Environment') : object();
  const declared = isObject(member(environment, 'Variables')) ? section(environment, 'Variables') : object();
  for (const [key, value] of Object.entries(added)) declared[key] = value;
  environment.Variables = declared;
  properties.Environment = environment;
}

/** The name of the project's stack: that of its directory, with what CloudFormation allows. */
export function stackNameOf({ directory }: ProjectPlace): string {
  const name = basename(directory)
    .replace(/[^A-Za-z0-9-]+/g, '-')
    .replace(/^[^A-Za-z]+|-+$/g, '')
    .slice(0, 100);
  return name === '' ? 'project' : name;
}

/** Whether a directory has nothing that a project could be. For the error's advice. */
export function isEmptyDirectory(directory: string): boolean {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.')).length === 0;
  } catch {
    return false;
  }
}
