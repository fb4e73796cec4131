/**
 * What a template has to be built and packaged: the code of functions and the content of layers that lie in local files,
 * with how to build each (`Metadata.BuildMethod`), and other local files that a deployment uploads as they are. Names in
 * the template are relative to its directory. Reads no code.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
 */
import { dirname, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { defaultOf } from '../../template/parameters.ts';
import type { Place, Places } from '../../template/places.ts';
import { isObject, type Json, type JsonObject, member, onlyKey, type Path, section } from '../../template/tree.ts';

export type Architecture = 'x86_64' | 'arm64';

/** The code of a function or the content of a layer. */
export type Artifact = {
  readonly logicalId: string;
  readonly kind: 'function' | 'layer';
  /** The type of the resource: SAM's, or CloudFormation's. */
  readonly type: string;
  /** Where the template has, or would have, the location: `['Resources', 'Hello', 'Properties', 'CodeUri']`. */
  readonly path: Path;
  readonly place: Place;
  /** The absolute path of a directory or a file. */
  readonly source: string;
  /** As the template has it; `.` where it has none. */
  readonly written: string;
  /** `Metadata.BuildMethod`, or undefined. */
  readonly method: string | undefined;
  readonly metadata: JsonObject;
  /** `Metadata.BuildProperties`. */
  readonly buildProperties: JsonObject;
  readonly runtime: string | undefined;
  readonly handler: string | undefined;
  readonly architecture: Architecture;
};

/** A local file that is not built. */
export type LocalFile = {
  readonly path: Path;
  readonly place: Place;
  readonly source: string;
  readonly written: string;
  /** Whether it is the template of a nested stack, which is built too. */
  readonly isTemplate: boolean;
  /** How the uploaded file is named in the template: `s3://b/k`, a URL, or a map with these members. */
  readonly form: 'uri' | 'url' | { readonly bucket: string; readonly key: string };
};

export type ProjectTemplate = {
  /** The absolute path of the template. */
  readonly file: string;
  readonly body: JsonObject;
  readonly places: Places;
};

type Located = { readonly property: string; readonly kind: 'function' | 'layer' };

const BUILT: Readonly<Record<string, Located>> = {
  'AWS::Serverless::Function': { property: 'CodeUri', kind: 'function' },
  'AWS::Serverless::LayerVersion': { property: 'ContentUri', kind: 'layer' },
  'AWS::Lambda::Function': { property: 'Code', kind: 'function' },
  'AWS::Lambda::LayerVersion': { property: 'Content', kind: 'layer' },
};

/** As `aws cloudformation package` and `sam package` have them. */
const FILES: Readonly<
  Record<string, readonly Omit<LocalFile & { property: string }, 'path' | 'place' | 'source' | 'written'>[]>
> = {
  'AWS::Serverless::Api': [{ property: 'DefinitionUri', isTemplate: false, form: 'uri' }],
  'AWS::Serverless::HttpApi': [{ property: 'DefinitionUri', isTemplate: false, form: 'uri' }],
  'AWS::Serverless::StateMachine': [{ property: 'DefinitionUri', isTemplate: false, form: 'uri' }],
  'AWS::Serverless::GraphQLApi': [
    { property: 'SchemaUri', isTemplate: false, form: 'uri' },
    { property: 'CodeUri', isTemplate: false, form: 'uri' },
  ],
  'AWS::Serverless::Application': [{ property: 'Location', isTemplate: true, form: 'url' }],
  'AWS::CloudFormation::Stack': [{ property: 'TemplateURL', isTemplate: true, form: 'url' }],
  'AWS::ApiGateway::RestApi': [
    { property: 'BodyS3Location', isTemplate: false, form: { bucket: 'Bucket', key: 'Key' } },
  ],
  'AWS::StepFunctions::StateMachine': [
    { property: 'DefinitionS3Location', isTemplate: false, form: { bucket: 'Bucket', key: 'Key' } },
  ],
  'AWS::AppSync::GraphQLSchema': [{ property: 'DefinitionS3Location', isTemplate: false, form: 'uri' }],
  'AWS::AppSync::Resolver': [
    { property: 'RequestMappingTemplateS3Location', isTemplate: false, form: 'uri' },
    { property: 'ResponseMappingTemplateS3Location', isTemplate: false, form: 'uri' },
  ],
};

/** Whether a location is on this machine. */
export function isLocal(location: string): boolean {
  return location !== '' && !/^(s3|https?):\/\//.test(location);
}

/**
 * The artifacts of a template, in its order. `parameters` are values for locations that a parameter has.
 * @throws OperatorError 'template-unbuildable' for a logical ID that cannot be a file's name
 */
export function findArtifacts(
  { file, body, places }: ProjectTemplate,
  parameters: ReadonlyMap<string, string> = new Map(),
): Artifact[] {
  const globals = section(section(body, 'Globals'), 'Function');
  return resourcesOf(body).flatMap(([logicalId, resource]) => {
    const type = String(member(resource, 'Type'));
    const located = Object.hasOwn(BUILT, type) ? BUILT[type] : undefined;
    if (located === undefined) return [];
    const { property, kind } = located;
    const path = ['Resources', logicalId, 'Properties', property];
    if (!/^[A-Za-z0-9]+$/.test(logicalId))
      throw unbuildable(file, places.near(path), `Resource name ${logicalId} is non alphanumeric`);
    const isSamFunction = type === 'AWS::Serverless::Function';
    const inherited = isSamFunction ? globals : {};
    const properties = section(resource, 'Properties');
    const of = (name: string) => member(properties, name) ?? member(inherited, name);
    if (kind === 'function' && of('PackageType') === 'Image') return [];
    // Its own text wins over the location of the Globals section.
    const isInline = isSamFunction && member(properties, 'InlineCode') !== undefined;
    if (isInline && member(properties, property) === undefined) return [];
    const written = writtenOf(of(property), isSamFunction && of('InlineCode') === undefined, body, parameters);
    if (written === undefined) return [];
    const metadata = section(resource, 'Metadata');
    const method = member(metadata, 'BuildMethod');
    return {
      logicalId,
      kind,
      type,
      path,
      place: places.near(path),
      source: resolve(dirname(file), written),
      written,
      method: method === undefined ? undefined : String(method),
      metadata,
      buildProperties: section(metadata, 'BuildProperties'),
      runtime: textOf(of('Runtime'), body, parameters),
      handler: textOf(of('Handler'), body, parameters),
      architecture: architectureOf(
        kind === 'function' ? of('Architectures') : undefined,
        member(metadata, 'BuildArchitecture'),
        properties,
      ),
    };
  });
}

/** Local files of a template that are not built, in its order, AWS::Include's among them. */
export function findLocalFiles({ file, body, places }: ProjectTemplate): LocalFile[] {
  const found = resourcesOf(body).flatMap(([logicalId, resource]) => {
    const type = String(member(resource, 'Type'));
    const rows = Object.hasOwn(FILES, type) ? (FILES[type] ?? []) : [];
    return rows.flatMap(({ property, isTemplate, form }) => {
      const written = member(section(resource, 'Properties'), property);
      if (typeof written !== 'string' || !isLocal(written)) return [];
      const path = ['Resources', logicalId, 'Properties', property];
      return { path, place: places.near(path), source: resolve(dirname(file), written), written, isTemplate, form };
    });
  });
  return [...found, ...includesOf(body, [], file, places)];
}

function includesOf(node: Json, path: Path, file: string, places: Places): LocalFile[] {
  if (Array.isArray(node)) return node.flatMap((item, index) => includesOf(item, [...path, index], file, places));
  if (!isObject(node)) return [];
  return Object.entries(node).flatMap(([key, value]) => {
    const own = [...path, key];
    const isTransform = key === 'Fn::Transform' || (key === 'Transform' && path.length === 0);
    const location = isTransform ? member(section(value, 'Parameters'), 'Location') : undefined;
    if (typeof location === 'string' && member(value, 'Name') === 'AWS::Include' && isLocal(location)) {
      const at = [...own, 'Parameters', 'Location'];
      const source = resolve(dirname(file), location);
      return [{ path: at, place: places.near(at), source, written: location, isTemplate: false, form: 'uri' as const }];
    }
    return includesOf(value, own, file, places);
  });
}

function resourcesOf(body: JsonObject): [string, JsonObject][] {
  return Object.entries(section(body, 'Resources')).flatMap(([name, resource]): [string, JsonObject][] =>
    isObject(resource) ? [[name, resource]] : [],
  );
}

/** The local location of an artifact. Tools package the template's own directory for a SAM function without code. */
function writtenOf(
  value: Json | undefined,
  hasDefault: boolean,
  body: JsonObject,
  parameters: ReadonlyMap<string, string>,
): string | undefined {
  if (value === undefined) return hasDefault ? '.' : undefined;
  const text = textOf(value, body, parameters);
  return text !== undefined && isLocal(text) ? text : undefined;
}

/** Text, or the value of the parameter that a `Ref` names. */
function textOf(
  value: Json | undefined,
  body: JsonObject,
  parameters: ReadonlyMap<string, string>,
): string | undefined {
  if (typeof value === 'string') return value;
  if (onlyKey(value) !== 'Ref') return undefined;
  const name = member(value, 'Ref');
  if (typeof name !== 'string') return undefined;
  const parameter = member(section(body, 'Parameters'), name);
  return parameters.get(name) ?? (isObject(parameter) ? defaultOf(parameter) : undefined);
}

function architectureOf(listed: Json | undefined, built: Json | undefined, properties: JsonObject): Architecture {
  const compatible = member(properties, 'CompatibleArchitectures');
  const only = Array.isArray(compatible) && compatible.length === 1 ? compatible[0] : undefined;
  const named = built ?? (Array.isArray(listed) ? listed[0] : undefined) ?? only;
  return named === 'arm64' ? 'arm64' : 'x86_64';
}

function unbuildable(file: string, place: Place, reason: string): OperatorError {
  return new OperatorError('template-unbuildable', { place: `${file}:${place.line}:${place.column}`, reason });
}
