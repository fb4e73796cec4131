/**
 * A project without a template: one function, found by its files, as a template with a function URL. The same names as
 * everywhere: a file `bootstrap`, a Node.js handler, a PHP handler.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { type JsonObject, objectOf } from '../template/tree.ts';

/** What runs a directory. */
type Found = {
  readonly handler: string;
  readonly runtime: string;
  /** Whether it needs a layer with PHP, and of which variant. */
  readonly php?: 'lean' | 'http';
  readonly variables?: Readonly<Record<string, string>>;
};

const NODE_RUNTIME = 'nodejs22.x';
const CUSTOM_RUNTIME = 'provided.al2023';
const NODE_NAMES = ['index', 'src/index', 'handler', 'src/handler', 'app', 'src/app', 'main', 'src/main', 'lambda'];
const NODE_ENDINGS = ['.ts', '.mts', '.cts', '.mjs', '.js', '.cjs'];
const PHP_NAMES = ['index.php', 'handler.php', 'src/index.php', 'src/handler.php', 'app.php', 'src/app.php'];

/**
 * The template of a directory, or of one file of a function. Its paths are relative to the directory that is returned.
 * @throws OperatorError 'no-function'
 */
export function templateOfDirectory(path: string): { readonly directory: string; readonly body: JsonObject } {
  const place = resolve(path);
  const isFile = statSync(place, { throwIfNoEntry: false })?.isFile() ?? false;
  const directory = isFile ? directoryOf(place) : place;
  const found = isFile ? fromFile(place, directory) : fromDirectory(directory);
  if (found === undefined) throw new OperatorError('no-function', { path });
  return { directory, body: templateOf(nameOf(isFile ? place : directory), found, directory) };
}

/** The directory above `src`, where vendor and node_modules are. */
function directoryOf(file: string): string {
  const parent = dirname(file);
  const above = dirname(parent);
  const isProject = ['composer.json', 'package.json', 'vendor', 'node_modules'].some((name) =>
    existsSync(join(above, name)),
  );
  return basename(parent) === 'src' && isProject ? above : parent;
}

function fromFile(file: string, directory: string): Found | undefined {
  const path = relative(directory, file);
  const ending = extname(path);
  if (ending === '.php') return { handler: path, runtime: CUSTOM_RUNTIME, php: 'lean' };
  if (NODE_ENDINGS.includes(ending))
    return { handler: `${path.slice(0, -ending.length)}.handler`, runtime: NODE_RUNTIME };
  return basename(path) === 'bootstrap' ? { handler: 'bootstrap', runtime: CUSTOM_RUNTIME } : undefined;
}

function fromDirectory(directory: string): Found | undefined {
  const has = (path: string) => statSync(join(directory, path), { throwIfNoEntry: false })?.isFile() ?? false;
  if (has('bootstrap')) return { handler: 'bootstrap', runtime: CUSTOM_RUNTIME };
  const node = NODE_NAMES.find((name) => NODE_ENDINGS.some((ending) => has(name + ending)));
  if (node !== undefined) return { handler: `${node}.handler`, runtime: NODE_RUNTIME };
  if (has('public/index.php')) {
    const variables = { LAMELLA_MODE: 'http' };
    return { handler: 'public/index.php', runtime: CUSTOM_RUNTIME, php: 'http', variables };
  }
  const php = PHP_NAMES.find(has) ?? onlyPhpFile(directory, '') ?? onlyPhpFile(directory, 'src');
  return php === undefined ? undefined : { handler: php, runtime: CUSTOM_RUNTIME, php: 'lean' };
}

/** The PHP file of a directory that has one, whatever its name. */
function onlyPhpFile(directory: string, inside: string): string | undefined {
  try {
    const names = readdirSync(join(directory, inside)).filter((name) => name.endsWith('.php'));
    return names.length === 1 && names[0] !== undefined ? join(inside, names[0]) : undefined;
  } catch {
    return undefined;
  }
}

function templateOf(name: string, { handler, runtime, php, variables }: Found, directory: string): JsonObject {
  const properties: JsonObject = objectOf({
    FunctionName: name,
    CodeUri: '.',
    Handler: handler,
    Runtime: runtime,
    Timeout: 30,
    MemorySize: 512,
    FunctionUrlConfig: objectOf({ AuthType: 'NONE' }),
  });
  if (variables) properties.Environment = objectOf({ Variables: objectOf(variables) });
  if (php) properties.Layers = [objectOf({ Ref: 'Php' })];
  const resources = objectOf({ Function: objectOf({ Type: 'AWS::Serverless::Function', Properties: properties }) });
  if (php) {
    resources.Php = objectOf({
      Type: 'AWS::Serverless::LayerVersion',
      Properties: objectOf({ LayerName: 'php', ContentUri: '.' }),
      Metadata: objectOf({
        BuildMethod: 'php',
        BuildProperties: objectOf({
          Version: '8.4',
          Variant: php,
          ...(requiresExtensions(directory) && { Extensions: 'auto' }),
        }),
      }),
    });
  }
  return objectOf({ Transform: 'AWS::Serverless-2016-10-31', Resources: resources });
}

/** The name of a function: that of the file or directory, with what AWS allows. */
function nameOf(path: string): string {
  const name = basename(path, extname(path))
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const own = name === '' || ['index', 'handler', 'app', 'main', 'bootstrap', 'lambda'].includes(name);
  const parent = basename(dirname(path))
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return ((own ? parent : name) || 'function').slice(0, 64);
}

/** Whether a composer.json asks for extensions, which the layer then needs. */
function requiresExtensions(directory: string): boolean {
  try {
    return /"ext-[a-z]/.test(readFileSync(join(directory, 'composer.json'), 'utf8'));
  } catch {
    return false;
  }
}
