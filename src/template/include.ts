/**
 * `AWS::Include`: `Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://BUCKET/KEY}}` is replaced by the
 * members of the file, beside its siblings. Other transforms inside a template are macros, which are refused.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/create-reusable-transform-function-snippets-and-add-to-your-template-with-aws-include-transform.html
 */
import { readTemplate } from './read-template.ts';
import { TemplateError } from './template-error.ts';
import { isObject, type Json, type JsonObject, keepNumberTexts, member, object, type Path } from './tree.ts';

/**
 * The text of the file at a location such as `s3://bucket/key`. Undefined leaves the include in the template.
 *
 * @throws Error whose message becomes part of the status reason
 */
export type FetchSnippet = (location: string) => Promise<string | undefined>;

/** The value of the location, which may be a function on parameters. */
export type ResolveLocation = (node: Json, path: Path) => Json;

const INCLUDE = 'AWS::Include';
/** AWS does not resolve includes inside an included file. */
const MAX_INCLUDES = 100;

/** A copy of the tree with every AWS::Include replaced. @throws TemplateError for macros, and for a file that cannot be read */
export async function expandIncludes(
  body: JsonObject,
  resolve: ResolveLocation,
  fetch: FetchSnippet,
): Promise<JsonObject> {
  let count = 0;
  const visit = async (node: Json, path: Path): Promise<Json> => {
    if (node === null || typeof node !== 'object') return node;
    if (Array.isArray(node)) {
      const items: Json[] = [];
      for (const [index, item] of node.entries()) items.push(await visit(item, [...path, index]));
      return keepNumberTexts(node, items);
    }
    const made = object();
    for (const [key, value] of Object.entries(node)) {
      if (key !== 'Fn::Transform') made[key] = await visit(value, [...path, key]);
    }
    const transforms = member(node, 'Fn::Transform');
    for (const transform of transforms === undefined ? [] : Array.isArray(transforms) ? transforms : [transforms]) {
      count += 1;
      if (count > MAX_INCLUDES) throw failure(`At most ${MAX_INCLUDES} files can be included`, path);
      const members = await include(transform, [...path, 'Fn::Transform'], resolve, fetch);
      if (members === undefined) made['Fn::Transform'] = transform;
      for (const [key, value] of Object.entries(members ?? {})) {
        if (!Object.hasOwn(made, key)) made[key] = value;
      }
    }
    return keepNumberTexts(node, made);
  };
  return (await visit(body, [])) as JsonObject;
}

/** The members of the file that `{Name: AWS::Include, Parameters: {Location}}` names; undefined to leave it. */
export async function include(
  transform: Json,
  path: Path,
  resolve: ResolveLocation,
  fetch: FetchSnippet,
): Promise<JsonObject | undefined> {
  const name = member(transform, 'Name');
  if (typeof name !== 'string')
    throw new TemplateError({ message: 'Key Name of transform definition must be a string.', path });
  if (name !== INCLUDE) {
    throw new TemplateError({
      message: `No transform named ${name} found.`,
      path,
      suggestion: 'Macros are not supported here.',
    });
  }
  const location = resolve(member(member(transform, 'Parameters'), 'Location') ?? null, [
    ...path,
    'Parameters',
    'Location',
  ]);
  if (typeof location !== 'string') throw failure('Parameter Location must be a string', path);
  return readSnippet(location, path, fetch);
}

async function readSnippet(location: string, path: Path, fetch: FetchSnippet): Promise<JsonObject | undefined> {
  let text: string | undefined;
  try {
    text = await fetch(location);
  } catch (error) {
    throw failure((error as Error).message.replace(/\.$/, ''), path);
  }
  if (text === undefined) return undefined;
  try {
    const { body } = readTemplate(text, { fileName: location });
    if (isObject(body)) return body;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw failure(`The file ${location}: ${error.message.replace(/\.$/, '')}`, path);
  }
  throw failure(`The file ${location} must be a map`, path);
}

function failure(reason: string, path: Path): TemplateError {
  return new TemplateError({ message: `Transform ${INCLUDE} failed with: ${reason}.`, path });
}
