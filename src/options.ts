/**
 * All options of Lamella as tables: type, default, flag, environment variables, help. The only file that reads
 * `process.env`. A flag overrides its variable, a variable the default. The result is frozen. Help texts and
 * docs/options.md are generated from the tables; a test compares them.
 */
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve as resolvePath } from 'node:path';
import { OperatorError } from './operator-error.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The value of each type of option. */
type ValueTypes = {
  readonly text: string;
  readonly 'optional-text': string | undefined;
  readonly path: string;
  readonly 'optional-path': string | undefined;
  readonly paths: readonly string[];
  readonly url: string;
  readonly port: number;
  readonly 'optional-port': number | undefined;
  readonly lines: readonly string[];
  readonly count: number;
  readonly switch: boolean;
  readonly names: readonly string[];
  readonly strictness: readonly Strictness[];
  readonly region: string;
  readonly account: string;
  readonly 'log-level': LogLevel;
  readonly milliseconds: number;
  readonly 'optional-url': string | undefined;
  readonly seconds: readonly number[];
  readonly 'key-pairs': ReadonlyMap<string, string>;
  readonly 'cpu-limit': CpuLimit;
  readonly network: NetworkKind;
  readonly unsupported: UnsupportedResources;
};

/** One option. */
export type OptionRow = {
  readonly type: keyof ValueTypes;
  /** In commander's notation, with `<value>` unless the option is a switch. Undefined if there is only a variable. */
  readonly flag: string | undefined;
  /** Environment variables. The first one that is set and not empty is used. */
  readonly variables: readonly string[];
  /** As typed on the command line; undefined for no default. */
  readonly default: string | undefined | ((environment: Environment) => string);
  /** Describes a default that depends on the machine. */
  readonly defaultText?: string;
  /** For the help and docs/options.md, without the default. */
  readonly help: string;
};

const STRICTNESS = ['roles', 'runtimes', 'policies', 'resources'] as const;
/** Something that AWS rejects and Lamella accepts by default. */
export type Strictness = (typeof STRICTNESS)[number];

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const CPU_LIMITS = ['limited', 'unlimited'] as const;
/** Whether the CPU time of a function is limited in proportion to its memory. */
export type CpuLimit = (typeof CPU_LIMITS)[number];

const NETWORKS = ['shared', 'isolated'] as const;
/** Whether execution environments share this machine's network, or each has its own, without a route to others. */
export type NetworkKind = (typeof NETWORKS)[number];

/** A value from a configuration file. A flag and an environment variable win over it. */
export class FileValue {
  readonly value: unknown;
  /** Where it is, for messages: `port in samconfig.toml`. */
  readonly source: string;

  constructor(value: unknown, source: string) {
    this.value = value;
    this.source = source;
  }
}

const UNSUPPORTED = ['record', 'fail'] as const;
/** What becomes of resources of a stack that have no effect here. */
export type UnsupportedResources = (typeof UNSUPPORTED)[number];

/** The options of `lamella start` and of the library's `start()`. */
export const OPTIONS = {
  port: {
    type: 'port',
    flag: '--port <port>',
    variables: ['LAMELLA_PORT'],
    default: '3001',
    help: 'Port of the API. 0 picks a free port.',
  },
  httpPort: {
    type: 'optional-port',
    flag: '--http-port <port>',
    variables: ['LAMELLA_HTTP_PORT'],
    default: undefined,
    defaultText: '3000 if it is free and --port is not 0, otherwise a free port',
    help: 'Port of function URLs, HTTP and REST APIs and load balancers. 0 picks a free port.',
  },
  routes: {
    type: 'lines',
    flag: '--route <route>',
    variables: ['LAMELLA_ROUTES'],
    default: undefined,
    help: 'Send HTTP requests to a function: "GET /users/{id} -> NAME". Prefix it with rest, alb or http-1.0 for events of a REST API, a load balancer or an HTTP API with payload format 1.0. Can be repeated.',
  },
  host: {
    type: 'text',
    flag: '--host <address>',
    variables: ['LAMELLA_HOST'],
    default: '127.0.0.1',
    help: 'Address to listen on. With any address other than a loopback address, others on the network can run code here.',
  },
  allowHost: {
    type: 'names',
    flag: '--allow-host <name>',
    variables: ['LAMELLA_ALLOW_HOST'],
    default: undefined,
    help: 'Accept requests for this host name, in addition to localhost and the address. Can be repeated.',
  },
  dataDir: {
    type: 'path',
    flag: '--data-dir <directory>',
    variables: ['LAMELLA_DATA_DIR'],
    default: (environment) => join(dataHome(environment), 'lamella'),
    defaultText: '$XDG_DATA_HOME/lamella, otherwise ~/.local/share/lamella',
    help: 'Directory for functions, layers, logs and all other data. Only one service at a time can use it.',
  },
  hotReloadDirs: {
    type: 'paths',
    flag: '--hot-reload-dir <directory>',
    variables: ['LAMELLA_HOT_RELOAD_DIRS'],
    default: undefined,
    help: 'Let functions run from directories below this one: with S3Bucket hot-reload and the absolute path as S3Key. A change there takes effect with the next invocation. Only while the service listens on a loopback address. Can be repeated.',
  },
  ephemeral: {
    type: 'switch',
    flag: '--ephemeral',
    variables: ['LAMELLA_EPHEMERAL'],
    default: 'false',
    help: 'Keep all data in a temporary directory, which is removed when the service stops.',
  },
  region: {
    type: 'region',
    flag: '--region <region>',
    variables: ['LAMELLA_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    default: 'us-east-1',
    help: 'Region of requests that do not name one.',
  },
  accountId: {
    type: 'account',
    flag: '--account-id <id>',
    variables: ['LAMELLA_ACCOUNT_ID'],
    default: '123456789012',
    help: 'Account ID of all resources: twelve digits.',
  },
  readyFile: {
    type: 'optional-path',
    flag: '--ready-file <file>',
    variables: ['LAMELLA_READY_FILE'],
    default: undefined,
    help: 'Write this file when the service accepts connections: JSON with its URLs (lambda, http) and its pid.',
  },
  json: {
    type: 'switch',
    flag: '--json',
    variables: ['LAMELLA_JSON'],
    default: 'false',
    help: 'Print JSON to standard output instead of text: the contents of the ready file, then a line for each invocation and log event.',
  },
  quiet: {
    type: 'switch',
    flag: '--quiet',
    variables: ['LAMELLA_QUIET'],
    default: 'false',
    help: 'Do not print invocations and the logs of functions.',
  },
  detach: {
    type: 'switch',
    flag: '--detach',
    variables: ['LAMELLA_DETACH'],
    default: 'false',
    help: 'Run in the background, with the output in a file. `lamella status` shows the service, `lamella stop` ends it.',
  },
  strict: {
    type: 'strictness',
    flag: '--strict [what]',
    variables: ['LAMELLA_STRICT'],
    default: undefined,
    help: 'Reject what AWS rejects and Lamella otherwise accepts: roles that do not exist (roles), retired runtimes (runtimes), HTTP requests without a permission in the resource policy of the function (policies). Also reject stacks with resources that have no effect here, as --unsupported=fail does (resources). Without a value: all of them.',
  },
  unsupported: {
    type: 'unsupported',
    flag: '--unsupported <what>',
    variables: ['LAMELLA_UNSUPPORTED'],
    default: 'record',
    help: 'Resources of a stack that have no effect here: record keeps their properties, so that references to them resolve; fail rejects the stack before anything is created.',
  },
  enforceAuth: {
    type: 'switch',
    flag: '--enforce-auth',
    variables: ['LAMELLA_ENFORCE_AUTH'],
    default: 'false',
    help: 'Verify the signature of every request with the keys of --access-key, and reject all other requests.',
  },
  accessKeys: {
    type: 'key-pairs',
    flag: '--access-key <id:secret>',
    variables: ['LAMELLA_ACCESS_KEYS'],
    default: undefined,
    help: 'Access key ID and secret for --enforce-auth. Can be repeated. The variable keeps secrets off the command line.',
  },
  idleSeconds: {
    type: 'count',
    flag: '--idle-seconds <seconds>',
    variables: ['LAMELLA_IDLE_SECONDS'],
    default: '600',
    help: 'Shut down an execution environment that has been idle for this number of seconds.',
  },
  accountConcurrency: {
    type: 'count',
    flag: '--account-concurrency <count>',
    variables: ['LAMELLA_ACCOUNT_CONCURRENCY'],
    default: '1000',
    help: 'Maximum number of concurrent invocations. More are throttled.',
  },
  cpu: {
    type: 'cpu-limit',
    flag: '--cpu <limit>',
    variables: ['LAMELLA_CPU'],
    default: 'limited',
    help: 'limited: CPU time in proportion to the memory of a function, as on AWS (1769 MB get one CPU). unlimited: no limit.',
  },
  network: {
    type: 'network',
    flag: '--network <kind>',
    variables: ['LAMELLA_NETWORK'],
    default: 'shared',
    help: 'shared: functions use the network of this machine. isolated: each execution environment has its own network and can reach neither the internet nor this machine nor the service.',
  },
  debug: {
    type: 'names',
    flag: '--debug [function]',
    variables: ['LAMELLA_DEBUG'],
    default: undefined,
    help: 'Run this function under a debugger: PHP with Xdebug, which connects to 127.0.0.1:9003; Node.js with its inspector at 127.0.0.1:9229 and Python with debugpy at 127.0.0.1:5678, which wait for the debugger. Its timeouts do not count while a debugger is attached. Can be repeated; without a name: all functions.',
  },
  xdebug: {
    type: 'optional-path',
    flag: '--xdebug <file>',
    variables: ['LAMELLA_XDEBUG'],
    default: undefined,
    defaultText: "the one of this machine that fits the layer's PHP",
    help: 'The extension xdebug.so for --debug. It must be built for the PHP of the layer of the function.',
  },
  stateDelay: {
    type: 'milliseconds',
    flag: '--state-delay <ms>',
    variables: ['LAMELLA_STATE_DELAY'],
    default: '0',
    help: 'Milliseconds for which a new function stays Pending and an updated one InProgress.',
  },
  asyncRetrySeconds: {
    type: 'seconds',
    flag: '--async-retry-seconds <seconds>',
    variables: ['LAMELLA_ASYNC_RETRY_SECONDS'],
    default: '60,120',
    help: 'Seconds before the second and the third attempt of a failed asynchronous invocation.',
  },
  asyncConcurrency: {
    type: 'count',
    flag: '--async-concurrency <count>',
    variables: ['LAMELLA_ASYNC_CONCURRENCY'],
    default: '10',
    help: 'Maximum number of concurrent asynchronous invocations of a function. More wait in the queue.',
  },
  sqsEndpoint: {
    type: 'optional-url',
    flag: '--sqs-endpoint <url>',
    variables: ['LAMELLA_SQS_ENDPOINT'],
    default: undefined,
    defaultText: 'the queues of this service',
    help: 'URL of another SQS, for event source mappings, dead-letter queues, destinations and topics.',
  },
  dynamodbEndpoint: {
    type: 'optional-url',
    flag: '--dynamodb-endpoint <url>',
    variables: ['LAMELLA_DYNAMODB_ENDPOINT'],
    default: undefined,
    defaultText: 'tables in the data directory',
    help: 'URL of another DynamoDB, such as DynamoDB Local. It gets all requests for tables, also those of stacks.',
  },
  awsAccessKeyId: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_ACCESS_KEY_ID'],
    default: 'lamella',
    help: 'Access key ID for --sqs-endpoint and --dynamodb-endpoint.',
  },
  awsSecretAccessKey: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_SECRET_ACCESS_KEY'],
    default: 'lamella',
    help: 'Secret access key for --sqs-endpoint and --dynamodb-endpoint.',
  },
  awsSessionToken: {
    type: 'optional-text',
    flag: undefined,
    variables: ['AWS_SESSION_TOKEN'],
    default: undefined,
    help: 'Session token for --sqs-endpoint and --dynamodb-endpoint.',
  },
  logLevel: {
    type: 'log-level',
    flag: '--log-level <level>',
    variables: ['LAMELLA_LOG_LEVEL'],
    default: 'warn',
    help: 'Level of the service log on standard error: debug, info, warn, error or silent. It does not contain function logs.',
  },
} as const satisfies Record<string, OptionRow>;

/** The options of commands that call a running service. */
export const CLIENT_OPTIONS = {
  endpointUrl: {
    type: 'url',
    flag: '--endpoint-url <url>',
    variables: ['AWS_ENDPOINT_URL_LAMBDA', 'AWS_ENDPOINT_URL'],
    default: 'http://127.0.0.1:3001',
    help: 'URL of the service.',
  },
  region: {
    type: 'region',
    flag: '--region <region>',
    variables: ['LAMELLA_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    default: 'us-east-1',
    help: 'Region of the function.',
  },
  accessKeyId: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_ACCESS_KEY_ID'],
    default: 'lamella',
    help: 'Access key ID that signs requests.',
  },
  secretAccessKey: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_SECRET_ACCESS_KEY'],
    default: 'lamella',
    help: 'Secret access key that signs requests.',
  },
} as const satisfies Record<string, OptionRow>;

/** The options of commands that run another program with the service as its AWS. */
export const TOOL_OPTIONS = {
  endpointUrl: {
    ...CLIENT_OPTIONS.endpointUrl,
    defaultText: 'the service of --data-dir if it runs, otherwise http://127.0.0.1:3001',
  },
  dataDir: { ...OPTIONS.dataDir, help: 'Data directory of the service to use, instead of its URL.' },
  region: { ...CLIENT_OPTIONS.region, help: 'Region of all calls.' },
  accessKeys: {
    ...OPTIONS.accessKeys,
    help: 'Access key that the service knows, for a service with --enforce-auth.',
  },
} as const satisfies Record<string, OptionRow>;

/** The options of commands that deploy: to AWS, unless an endpoint is set. */
export const CLOUD_OPTIONS = {
  endpointUrl: {
    type: 'optional-url',
    flag: '--endpoint-url <url>',
    variables: ['AWS_ENDPOINT_URL_CLOUDFORMATION', 'AWS_ENDPOINT_URL'],
    default: undefined,
    defaultText: 'AWS',
    help: 'URL of a service to deploy to instead of AWS, such as another Lamella.',
  },
  region: {
    ...CLIENT_OPTIONS.region,
    help: 'Region of the stack.',
    defaultText: "that of the profile; us-east-1 for an endpoint that is not AWS's",
  },
  accessKeys: { ...OPTIONS.accessKeys, help: 'Access key for --endpoint-url. AWS gets keys of its default chain.' },
} as const satisfies Record<string, OptionRow>;

/** The options of commands that build layers. */
export const BUILD_OPTIONS = {
  cacheDir: {
    type: 'path',
    flag: '--cache-dir <directory>',
    variables: ['LAMELLA_CACHE_DIR'],
    default: (environment) => join(cacheHome(environment), 'lamella'),
    defaultText: '$XDG_CACHE_HOME/lamella, otherwise ~/.cache/lamella',
    help: 'Directory for downloads.',
  },
} as const satisfies Record<string, OptionRow>;

type Table = Readonly<Record<string, OptionRow>>;
type Resolved<T extends Table> = { readonly [Name in keyof T]: ValueTypes[T[Name]['type']] };

/** The options of a service, complete and frozen. */
export type Options = Resolved<typeof OPTIONS>;
/** The options of a command that calls a service. */
export type ClientOptions = Resolved<typeof CLIENT_OPTIONS>;
/** The options of a command that runs another program with the service as its AWS. */
export type ToolOptions = Resolved<typeof TOOL_OPTIONS>;
/** The options of a command that deploys. */
export type CloudOptions = Resolved<typeof CLOUD_OPTIONS>;
/** The options of a command that builds layers. */
export type BuildOptions = Resolved<typeof BUILD_OPTIONS>;

/** Options given on the command line, as text, or by a caller of the library, as text or as typed values. */
export type Given = Readonly<Record<string, unknown>>;

/** Variables of functions that the runtimes read. On the command line they have no effect. */
const FUNCTION_VARIABLES = [
  'LAMELLA_AUTOLOAD',
  'LAMELLA_BINARY',
  'LAMELLA_CONTAINER',
  'LAMELLA_DEADLINE',
  'LAMELLA_DOCUMENT_ROOT',
  'LAMELLA_ISOLATE',
  'LAMELLA_MAX_INVOCATIONS',
  'LAMELLA_MAX_MEMORY',
  'LAMELLA_MODE',
  'LAMELLA_PIPELINE',
  'LAMELLA_RAW_STRING',
  'LAMELLA_STREAMING',
];

/** Variables of the scripts and tests of the repository. */
const REPOSITORY_VARIABLES =
  /^LAMELLA_(ROOT|SERVICE|TEST_JOB|CONFORMANCE_\w+|PHP_SOURCE|PUBLIC_EXTENSIONS|TERRAFORM_PLUGINS|ATTACK_\w+)$/;

/** Variables of the command line that are no options of a command: those of the configuration file, and internal ones. */
const OTHER_VARIABLES = ['LAMELLA_PROGRAM', 'LAMELLA_CONFIG_FILE', 'LAMELLA_CONFIG_ENV', 'LAMELLA_DETACHED_LOG'];

/** Maximum number of typing errors in a name for which the right one is suggested. */
const MAX_TYPOS = 3;

/** Describes each `LAMELLA_*` variable that no command reads, with the name that was probably meant. */
export function findUnknownVariables(environment: Environment = process.env): string[] {
  const tables: Table[] = [OPTIONS, CLIENT_OPTIONS, TOOL_OPTIONS, CLOUD_OPTIONS, BUILD_OPTIONS];
  const known = new Set(tables.flatMap((table) => Object.values(table).flatMap(({ variables }) => variables)));
  const own = [...known].filter((name) => name.startsWith('LAMELLA_'));
  return Object.keys(environment).flatMap((name) => {
    if (
      !/^LAMELLA_/i.test(name) ||
      known.has(name) ||
      REPOSITORY_VARIABLES.test(name) ||
      OTHER_VARIABLES.includes(name)
    )
      return [];
    if (FUNCTION_VARIABLES.includes(name)) {
      return `The environment variable ${name} has no effect here. It belongs into the environment of a function: aws lambda update-function-configuration --environment.`;
    }
    const [nearest] = own
      .map((candidate) => ({ candidate, typos: editDistance(name.toUpperCase(), candidate) }))
      .filter(({ typos, candidate }) => typos <= Math.min(MAX_TYPOS, (candidate.length - 'LAMELLA_'.length) / 2))
      .sort((a, b) => a.typos - b.typos);
    const hint = nearest ? `Did you mean ${nearest.candidate}?` : 'Run `lamella start --help` to see all variables.';
    return `Unknown environment variable ${name}. ${hint}`;
  });
}

/** The name that was probably meant: the nearest one, if it is near enough for its length. */
export function nearestOf(given: string, names: readonly string[]): string | undefined {
  const [nearest] = names
    .map((name) => ({ name, typos: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ typos, name }) => typos <= Math.min(MAX_TYPOS, Math.ceil(name.length / 3)))
    .sort((a, b) => a.typos - b.typos);
  return nearest?.name;
}

/** How many letters must be inserted, removed, replaced or swapped with the next to turn one word into the other. */
export function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= from.length; i += 1) {
    const above = rows[i - 1] ?? [];
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = isSwap ? (rows[i - 2]?.[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(replaced, swapped, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    rows.push(row);
  }
  return rows[from.length]?.[to.length] ?? 0;
}

/** Resolves the options of `lamella start`. Throws `OperatorError` `usage` for an invalid value. */
export function resolveOptions(given: Given = {}, environment: Environment = process.env): Options {
  return resolveTable(OPTIONS, given, environment, 'start');
}

/** Resolves the options of a command that calls a service. Throws `OperatorError` `usage` for an invalid value. */
export function resolveClientOptions(given: Given, command: string, environment: Environment = process.env) {
  return resolveTable(CLIENT_OPTIONS, given, environment, command);
}

/** Resolves the options of a command that runs another program. Throws `OperatorError` `usage` for an invalid value. */
export function resolveToolOptions(given: Given, command: string, environment: Environment = process.env): ToolOptions {
  return resolveTable(TOOL_OPTIONS, given, environment, command);
}

/** Resolves the options of a command that deploys. Throws `OperatorError` `usage` for an invalid value. */
export function resolveCloudOptions(
  given: Given,
  command: string,
  environment: Environment = process.env,
): CloudOptions {
  return resolveTable(CLOUD_OPTIONS, given, environment, command);
}

/** Whether an option has a value that is not its default: from a flag, a configuration file or a variable. */
export function isGiven(row: OptionRow, value: unknown, environment: Environment = process.env): boolean {
  return value !== undefined || row.variables.some((variable) => environment[variable]);
}

/** This process's environment for another program, with variables set, or removed where the value is undefined. */
export function changedEnvironment(changes: Environment, environment: Environment = process.env): NodeJS.ProcessEnv {
  const changed: NodeJS.ProcessEnv = { ...environment };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) delete changed[name];
    else changed[name] = value;
  }
  return changed;
}

/** The directories in which programs are searched. */
export function searchPath(environment: Environment = process.env): string[] {
  return (environment.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
}

/** The value of one variable of this process. */
export function variable(name: string, environment: Environment = process.env): string | undefined {
  return environment[name];
}

/** The configuration file of AWS's tools: `$AWS_CONFIG_FILE`, otherwise `~/.aws/config`. */
export function awsConfigFile(environment: Environment = process.env): string {
  return environment.AWS_CONFIG_FILE || join(home(environment), '.aws', 'config');
}

/** Where Lamella records which services run: `$XDG_STATE_HOME/lamella`, otherwise `~/.local/state/lamella`. */
export function stateDirectory(environment: Environment = process.env): string {
  return join(absolute(environment.XDG_STATE_HOME) ?? join(home(environment), '.local', 'state'), 'lamella');
}

/** Resolves the options of a command that builds layers. Throws `OperatorError` `usage` for an invalid value. */
export function resolveBuildOptions(given: Given, command: string, environment: Environment = process.env) {
  return resolveTable(BUILD_OPTIONS, given, environment, command);
}

function resolveTable<T extends Table>(
  table: T,
  given: Given,
  environment: Environment,
  command: string,
): Readonly<Resolved<T>> {
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    const { value, source } = pick(row, given[name], environment);
    const parsed = parse(row.type, value);
    if ('problem' in parsed) {
      throw new OperatorError('usage', { reason: `${source} ${parsed.problem}`, command });
    }
    values[name] = parsed.value;
  }
  return Object.freeze(values) as Readonly<Resolved<T>>;
}

/** The flag, else the first variable that is set and not empty, else the configuration file, else the default. */
function pick(row: OptionRow, flag: unknown, environment: Environment): { value: unknown; source: string } {
  const fromFile = flag instanceof FileValue ? flag : undefined;
  if (flag !== undefined && fromFile === undefined)
    return { value: flag, source: row.flag?.split(' ', 1)[0] ?? 'The option' };
  for (const variable of row.variables) {
    const value = environment[variable];
    if (value) return { value, source: `The environment variable ${variable}` };
  }
  if (fromFile !== undefined) return fromFile;
  const fallback = typeof row.default === 'function' ? row.default(environment) : row.default;
  return { value: fallback, source: `The default of ${row.flag ?? row.variables[0]}` };
}

type Parsed = { readonly value: unknown } | { readonly problem: string };

function parse(type: keyof ValueTypes, value: unknown): Parsed {
  switch (type) {
    case 'text':
      return typeof value === 'string' && value !== '' ? { value } : { problem: 'must not be empty.' };
    case 'optional-text':
      return value === undefined || typeof value === 'string' ? { value } : { problem: 'must be text.' };
    case 'path':
      return typeof value === 'string' && value !== ''
        ? { value: resolvePath(value) }
        : { problem: 'must be the path of a directory.' };
    case 'optional-path':
      if (value === undefined) return { value };
      return typeof value === 'string' && value !== ''
        ? { value: resolvePath(value) }
        : { problem: 'must be the path of a file.' };
    case 'paths':
      return { value: Object.freeze(splitLines(value).map((path) => resolvePath(path))) };
    case 'url':
      return parseUrl(value);
    case 'optional-port':
      return value === undefined ? { value } : parseInteger(value, 0, 65_535, 'a port number from 0 to 65535');
    case 'lines':
      return { value: Object.freeze(splitLines(value)) };
    case 'port':
      return parseInteger(value, 0, 65_535, 'a port number from 0 to 65535');
    case 'count':
      return parseInteger(value, 1, 2_147_483_647, 'a whole number of at least 1');
    case 'switch':
      return parseSwitch(value);
    case 'names':
      return { value: Object.freeze(splitList(value)) };
    case 'strictness':
      return parseStrictness(value);
    case 'region':
      return parsePattern(value, /^[a-z]{2,4}(-[a-z]+)+-\d$/, 'a region such as eu-central-1');
    case 'account':
      return parsePattern(value, /^\d{12}$/, 'twelve digits');
    case 'key-pairs':
      return parseKeyPairs(value);
    case 'optional-url':
      return value === undefined ? { value } : parseUrl(value);
    case 'seconds':
      return parseSeconds(value);
    case 'milliseconds':
      return parseInteger(value, 0, 2_147_483_647, 'a whole number of milliseconds');
    case 'cpu-limit':
      return parseEither(value, CPU_LIMITS);
    case 'network':
      return parseEither(value, NETWORKS);
    case 'unsupported':
      return parseEither(value, UNSUPPORTED);
    case 'log-level':
      return LOG_LEVELS.some((level) => level === value)
        ? { value }
        : { problem: `must be one of ${LOG_LEVELS.join(', ')}, not ${quote(value)}.` };
  }
}

function parseEither(value: unknown, choices: readonly [string, string]): Parsed {
  return choices.some((choice) => choice === value)
    ? { value }
    : { problem: `must be ${choices.join(' or ')}, not ${quote(value)}.` };
}

function parseInteger(value: unknown, least: number, most: number, what: string): Parsed {
  const text = String(value).trim();
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? { value: number } : { problem: `must be ${what}, not ${quote(value)}.` };
}

function parseSeconds(value: unknown): Parsed {
  const parts = splitList(value).map((word) => (/^\d{1,9}(\.\d+)?$/.test(word) ? Number(word) : Number.NaN));
  return parts.length > 0 && parts.every((part) => !Number.isNaN(part))
    ? { value: Object.freeze(parts) }
    : { problem: `must be numbers of seconds, separated by commas, not ${quote(value)}.` };
}

function parsePattern(value: unknown, pattern: RegExp, what: string): Parsed {
  return typeof value === 'string' && pattern.test(value)
    ? { value }
    : { problem: `must be ${what}, not ${quote(value)}.` };
}

function parseUrl(value: unknown): Parsed {
  const text = String(value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    return { problem: `must be a URL such as http://127.0.0.1:3001, not ${quote(value)}.` };
  }
  return { value: text.replace(/\/+$/, '') };
}

function parseSwitch(value: unknown): Parsed {
  if (value === true || value === 'true' || value === '1') return { value: true };
  if (value === false || value === 'false' || value === '0') return { value: false };
  return { problem: `must be true or false, not ${quote(value)}.` };
}

/** `--strict` without a value is `true`, which means everything. */
function parseStrictness(value: unknown): Parsed {
  if (value === true || value === '1' || value === 'true') return { value: STRICTNESS };
  if (value === false || value === '0' || value === 'false') return { value: Object.freeze([]) };
  const wanted = splitList(value);
  if (wanted.includes('true')) return { value: STRICTNESS };
  const unknown = wanted.find((word) => !STRICTNESS.some((known) => known === word));
  return unknown === undefined
    ? { value: Object.freeze(STRICTNESS.filter((known) => wanted.includes(known))) }
    : { problem: `must be one of ${STRICTNESS.join(', ')}, not ${quote(unknown)}.` };
}

function parseKeyPairs(value: unknown): Parsed {
  if (value instanceof Map) return { value };
  const pairs = new Map<string, string>();
  for (const word of splitList(value)) {
    const [, id, secret] = /^([^:]+):(.+)$/.exec(word) ?? [];
    // Never print the value: it can contain a secret.
    if (id === undefined || secret === undefined) return { problem: 'must be ACCESS_KEY_ID:SECRET.' };
    pairs.set(id, secret);
  }
  return { value: pairs };
}

/** Splits a list that was given by repeating the option, or separated by commas. */
function splitList(value: unknown): string[] {
  if (value === undefined) return [];
  const parts = Array.isArray(value) ? value : [value];
  return parts.flatMap((part) => String(part).split(',')).flatMap((word) => word.trim() || []);
}

/** Splits a list that was given by repeating the option, or one item per line. */
function splitLines(value: unknown): string[] {
  if (value === undefined) return [];
  const parts = Array.isArray(value) ? value : [value];
  return parts.flatMap((part) => String(part).split('\n')).flatMap((line) => line.trim() || []);
}

function quote(value: unknown): string {
  return `"${String(value)}"`;
}

/** The XDG specification requires relative paths in these variables to be ignored. */
function dataHome(environment: Environment): string {
  return absolute(environment.XDG_DATA_HOME) ?? join(home(environment), '.local', 'share');
}

function cacheHome(environment: Environment): string {
  return absolute(environment.XDG_CACHE_HOME) ?? join(home(environment), '.cache');
}

function home(environment: Environment): string {
  return absolute(environment.HOME) ?? homedir();
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/**
 * What to tell the user if others on the network can reach the service: an invocation, or a new function, is code of their
 * choice. Undefined for a loopback address.
 */
export function openHostWarning({
  host,
  enforceAuth,
  network,
}: Pick<Options, 'host' | 'enforceAuth' | 'network'>):
  | { readonly warning: string; readonly advice: string }
  | undefined {
  if (isLoopback(host)) return undefined;
  const who = /^(0\.0\.0\.0|(0*:)+0*)$/.test(host) ? 'all addresses of this machine' : host;
  const code = enforceAuth ? '' : ', and can create functions and so run code here as you';
  const advice = [
    'Listen on 127.0.0.1 and use an SSH tunnel instead',
    ...(enforceAuth ? [] : ['or require signatures with --enforce-auth and --access-key']),
    ...(network === 'isolated' ? [] : ['and keep functions off your network with --network isolated']),
  ];
  return {
    warning: `The service listens on ${who}. Anyone who can reach its ports can use your functions' URLs${code}.`,
    advice: `${advice.join(', ')}. Read docs/security.md of Lamella.`,
  };
}

/** Whether only this machine can reach the address: 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host) || /^(0*:)+0*1$/.test(host) || /^::ffff:127\./i.test(host)
  );
}
