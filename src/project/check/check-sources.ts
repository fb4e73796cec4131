/**
 * Checks of source code that can be made without running it: writes to literal paths outside of /tmp, and clients of the
 * AWS SDK. Only the project's own files are read, line by line, never packages in `vendor` or `node_modules`. What a
 * variable holds is not known: such calls are not judged.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';

export type SourceWrite = {
  readonly path: string;
  readonly line: number;
  readonly target: string;
  readonly call: string;
};
/** A use of a service: an action such as `s3:PutObject`, or a service alone. */
export type SdkUse = {
  readonly path: string;
  readonly line: number;
  readonly service: string;
  readonly operation: string | undefined;
};
export type ScannedSources = { readonly writes: readonly SourceWrite[]; readonly uses: readonly SdkUse[] };

const SOURCES = /\.(php|js|mjs|cjs|ts|mts|cts|py)$/;
const OTHERS =
  /(^|\/)(node_modules|vendor|\.git|\.aws-sam|tests?|__tests__|__pycache__|\.venv|venv|public\/build)(\/|$)/;
const MAX_FILE_BYTES = 1_000_000;
const MAX_LINE_CHARACTERS = 2_000;

/** A path in quotes, as the groups 2 to 4 of a pattern; after `__DIR__ .`, `__dirname` or os.path.dirname it is below /var/task. */
const LITERAL = String.raw`(?:(__DIR__|dirname\(__FILE__\))\s*\.\s*)?(['"])([^'"$\n{}]{1,300})\3`;
const NODE_LITERAL = String.raw`(?:(?:path\.)?(?:join|resolve)\(\s*(__dirname|import\.meta\.dirname|process\.cwd\(\))\s*,\s*)?(['"\`])([^'"\`$\n{}]{1,300})\3`;

const WRITES: readonly { readonly files: RegExp; readonly pattern: RegExp }[] = [
  {
    files: /\.php$/,
    pattern: new RegExp(String.raw`\b(file_put_contents|mkdir|touch|tempnam|unlink|rmdir)\s*\(\s*${LITERAL}`, 'g'),
  },
  { files: /\.php$/, pattern: new RegExp(String.raw`\b(fopen)\s*\(\s*${LITERAL}\s*,\s*['"][waxc]`, 'g') },
  { files: /\.php$/, pattern: new RegExp(String.raw`\b(?:new\s+)(SQLite3)\s*\(\s*${LITERAL}`, 'g') },
  {
    files: /\.[mc]?[jt]s$/,
    pattern: new RegExp(
      String.raw`\b(writeFile(?:Sync)?|appendFile(?:Sync)?|mkdir(?:Sync)?|createWriteStream|rm(?:Sync)?|unlink(?:Sync)?)\s*\(\s*${NODE_LITERAL}`,
      'g',
    ),
  },
  { files: /\.py$/, pattern: /\b(open)\s*\(\s*()(['"])([^'"\n{}]{1,300})\3\s*,\s*['"][wax]/g },
  { files: /\.py$/, pattern: /\b(os\.makedirs|os\.mkdir|sqlite3\.connect)\s*\(\s*()(['"])([^'"\n{}]{1,300})\3/g },
];
/** Where a function can write, and what is not a file. */
const WRITABLE =
  /^(\/tmp(\/|$)|\/dev\/(null|shm|stdout|stderr|fd\/)|\/mnt\/|\/proc\/self\/fd|[a-z][a-z0-9+.-]*:\/\/|:memory:$|$)/;

/** Reads the sources of a directory. A file is read as it is if the location is one. */
export async function scanSources(directory: string): Promise<ScannedSources> {
  const writes: SourceWrite[] = [];
  const uses: SdkUse[] = [];
  const entries = await entriesOfDirectory(directory, { admits: (path) => !OTHERS.test(path) });
  for (const { path, content } of entries) {
    if (content.kind !== 'file' || !SOURCES.test(path)) continue;
    if ((await stat(content.source)).size > MAX_FILE_BYTES) continue;
    scanFile(path, await readFile(join(directory, path), 'utf8'), writes, uses);
  }
  return { writes, uses };
}

function scanFile(path: string, text: string, writes: SourceWrite[], uses: SdkUse[]): void {
  const imported = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.length > MAX_LINE_CHARACTERS || isComment(line)) continue;
    const at = { path, line: index + 1 };
    for (const { files, pattern } of WRITES) {
      if (!files.test(path)) continue;
      for (const match of line.matchAll(pattern)) {
        const [, call = '', below, , target = ''] = match;
        const isWritable = below === undefined || below === '' ? WRITABLE.test(target) : false;
        if (!isWritable) writes.push({ ...at, target: below ? `${below}/${target.replace(/^\//, '')}` : target, call });
      }
    }
    addUses(path, line, at, imported, uses);
  }
}

function isComment(line: string): boolean {
  return /^\s*(\/\/|#(?!\[)|\*|\/\*)/.test(line);
}

const JS_IMPORT =
  /(?:import|const|let|var)\s*\{([^}]{1,1000})\}\s*(?:from\s*|=\s*require\(\s*)['"]@aws-sdk\/(client|lib)-([a-z0-9-]+)['"]/;
const JS_COMMAND = /\bnew\s+([A-Z]\w{2,60})Command\s*\(/g;
const PYTHON_CLIENT = /\bboto3\.(?:client|resource)\(\s*['"]([a-z0-9-]+)['"]/g;
const PHP_CLIENT = /\bnew\s+\\?(?:Aws\\)?(?:\w+\\)?([A-Z]\w{1,40})Client\s*\(|\buse\s+\\?Aws\\(\w+)\\\w+Client\b/g;

function addUses(
  path: string,
  line: string,
  at: { path: string; line: number },
  imported: Map<string, string>,
  uses: SdkUse[],
): void {
  if (path.endsWith('.py')) {
    for (const [, name = ''] of line.matchAll(PYTHON_CLIENT))
      uses.push({ ...at, service: prefixOf(name), operation: undefined });
  } else if (path.endsWith('.php')) {
    for (const [, , name] of line.matchAll(PHP_CLIENT)) {
      if (name !== undefined) uses.push({ ...at, service: prefixOf(name.toLowerCase()), operation: undefined });
    }
  } else {
    const [, names = '', , service = ''] = JS_IMPORT.exec(line) ?? [];
    for (const name of names.split(',')) {
      const [original = '', alias] = name.trim().split(/\s+as\s+|\s*:\s*/);
      if (original !== '') imported.set(alias ?? original, service);
    }
    for (const [, name = ''] of line.matchAll(JS_COMMAND)) {
      const client = imported.get(`${name}Command`);
      if (client !== undefined) uses.push({ ...at, service: prefixOf(client), operation: name });
    }
  }
}

/** The prefixes of actions, where they are not the name of the client. */
const PREFIXES: Readonly<Record<string, string>> = {
  dynamodb: 'dynamodb',
  'lib-dynamodb': 'dynamodb',
  dynamodbstreams: 'dynamodb',
  eventbridge: 'events',
  'secrets-manager': 'secretsmanager',
  'cloudwatch-logs': 'logs',
  cloudwatchlogs: 'logs',
  sfn: 'states',
  stepfunctions: 'states',
  sesv2: 'ses',
  'cognito-identity-provider': 'cognito-idp',
  'bedrock-runtime': 'bedrock',
  'api-gateway-management': 'execute-api',
  apigatewaymanagementapi: 'execute-api',
};

function prefixOf(client: string): string {
  return Object.hasOwn(PREFIXES, client) ? (PREFIXES[client] ?? client) : client;
}
