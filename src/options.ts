/**
 * Every setting of Lamella as one table: type, default, flag, environment variable, help. The only reader of
 * `process.env`. A flag wins over its variable, a variable over the default; the result is frozen. Help texts and
 * docs/options.md come from the table, and a test holds the two together.
 */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve as resolvePath } from 'node:path';
import { OperatorError } from './operator-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a value may be, by the name the table gives its type. */
type ValueTypes = {
  readonly text: string;
  readonly 'optional-text': string | undefined;
  readonly path: string;
  readonly 'optional-path': string | undefined;
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
};

export type OptionRow = {
  readonly type: keyof ValueTypes;
  /** As commander writes it; `<value>` in angle brackets unless the option is a switch. Undefined: variable only. */
  readonly flag: string | undefined;
  /** Environment variables, the first one that is set and not empty wins. */
  readonly variables: readonly string[];
  /** As text, the way a person would type it; undefined for none. */
  readonly default: string | undefined | ((environment: Environment) => string);
  /** The default in words, where it depends on the machine. */
  readonly defaultText?: string;
  /** One sentence, without the default. */
  readonly help: string;
};

const STRICTNESS = ['roles', 'runtimes'] as const;
/** A leniency of Lamella that can be switched off, to be refused what AWS refuses. */
export type Strictness = (typeof STRICTNESS)[number];

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const CPU_LIMITS = ['limited', 'unlimited'] as const;
/** Whether a function has a share of a CPU in proportion to its memory, or what there is. */
export type CpuLimit = (typeof CPU_LIMITS)[number];

const NETWORKS = ['shared', 'isolated'] as const;
/** Whether an execution environment has this machine's network, or one of its own without a way out. */
export type NetworkKind = (typeof NETWORKS)[number];

/** The options of `lamella start`, and of `start()` of the library. */
export const OPTIONS = {
  port: {
    type: 'port',
    flag: '--port <port>',
    variables: ['LAMELLA_PORT'],
    default: '3001',
    help: 'Port of the API; 0 takes any free one.',
  },
  httpPort: {
    type: 'optional-port',
    flag: '--http-port <port>',
    variables: ['LAMELLA_HTTP_PORT'],
    default: undefined,
    defaultText: '3000 if it is free and --port is not 0, else any free one',
    help: 'Port of function URLs, HTTP and REST APIs and load balancers; 0 takes any free one.',
  },
  routes: {
    type: 'lines',
    flag: '--route <route>',
    variables: ['LAMELLA_ROUTES'],
    default: undefined,
    help: 'A route to a function, as in "GET /users/{id} -> NAME", with rest, alb or http-1.0 in front for another kind of event than an HTTP API\'s; may be repeated.',
  },
  host: {
    type: 'text',
    flag: '--host <address>',
    variables: ['LAMELLA_HOST'],
    default: '127.0.0.1',
    help: 'Address to listen on. Anything but a loopback address lets others on the network run code here.',
  },
  allowHost: {
    type: 'names',
    flag: '--allow-host <name>',
    variables: ['LAMELLA_ALLOW_HOST'],
    default: undefined,
    help: 'A host name, beside localhost and the address itself, under which requests are accepted; may be repeated.',
  },
  dataDir: {
    type: 'path',
    flag: '--data-dir <folder>',
    variables: ['LAMELLA_DATA_DIR'],
    default: (environment) => join(dataHome(environment), 'lamella'),
    defaultText: '$XDG_DATA_HOME/lamella, else ~/.local/share/lamella',
    help: 'Folder that holds functions, layers and logs. One service at a time may use it.',
  },
  ephemeral: {
    type: 'switch',
    flag: '--ephemeral',
    variables: ['LAMELLA_EPHEMERAL'],
    default: 'false',
    help: 'Keep everything in a temporary folder that is removed at the end.',
  },
  region: {
    type: 'region',
    flag: '--region <region>',
    variables: ['LAMELLA_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    default: 'us-east-1',
    help: 'Region of requests that name none.',
  },
  accountId: {
    type: 'account',
    flag: '--account-id <id>',
    variables: ['LAMELLA_ACCOUNT_ID'],
    default: '123456789012',
    help: 'Account that everything belongs to: twelve digits.',
  },
  readyFile: {
    type: 'optional-path',
    flag: '--ready-file <file>',
    variables: ['LAMELLA_READY_FILE'],
    default: undefined,
    help: 'File that appears once the service accepts connections: JSON with its URLs (lambda, http) and its pid.',
  },
  json: {
    type: 'switch',
    flag: '--json',
    variables: ['LAMELLA_JSON'],
    default: 'false',
    help: 'Print what the ready file holds on standard output instead of text for people.',
  },
  strict: {
    type: 'strictness',
    flag: '--strict [what]',
    variables: ['LAMELLA_STRICT'],
    default: undefined,
    help: 'Refuse what AWS refuses and Lamella would accept: roles that do not exist (roles), retired runtimes (runtimes); alone: all of it.',
  },
  enforceAuth: {
    type: 'switch',
    flag: '--enforce-auth',
    variables: ['LAMELLA_ENFORCE_AUTH'],
    default: 'false',
    help: 'Verify the signature of every request against the keys given with --access-key, and refuse the rest.',
  },
  accessKeys: {
    type: 'key-pairs',
    flag: '--access-key <id:secret>',
    variables: ['LAMELLA_ACCESS_KEYS'],
    default: undefined,
    help: 'An access key and its secret for --enforce-auth; may be repeated. The variable keeps secrets off the command line.',
  },
  idleSeconds: {
    type: 'count',
    flag: '--idle-seconds <seconds>',
    variables: ['LAMELLA_IDLE_SECONDS'],
    default: '600',
    help: 'How long an execution environment waits for its next invocation before it is ended.',
  },
  accountConcurrency: {
    type: 'count',
    flag: '--account-concurrency <count>',
    variables: ['LAMELLA_ACCOUNT_CONCURRENCY'],
    default: '1000',
    help: 'How many invocations may run at the same time; more are throttled.',
  },
  cpu: {
    type: 'cpu-limit',
    flag: '--cpu <limit>',
    variables: ['LAMELLA_CPU'],
    default: 'limited',
    help: 'limited gives a function CPU time in proportion to its memory, as on AWS (1769 MB are one CPU); unlimited what there is.',
  },
  network: {
    type: 'network',
    flag: '--network <kind>',
    variables: ['LAMELLA_NETWORK'],
    default: 'shared',
    help: 'shared gives every execution environment the network of this machine; isolated one of its own, without a route out: nothing outside can be reached, neither the internet nor this machine nor the service.',
  },
  stateDelay: {
    type: 'milliseconds',
    flag: '--state-delay <ms>',
    variables: ['LAMELLA_STATE_DELAY'],
    default: '0',
    help: 'How long a new function stays Pending and an updated one InProgress, in milliseconds.',
  },
  asyncRetrySeconds: {
    type: 'seconds',
    flag: '--async-retry-seconds <seconds>',
    variables: ['LAMELLA_ASYNC_RETRY_SECONDS'],
    default: '60,120',
    help: 'How long a failed asynchronous invocation waits for its second attempt, and for its third.',
  },
  asyncConcurrency: {
    type: 'count',
    flag: '--async-concurrency <count>',
    variables: ['LAMELLA_ASYNC_CONCURRENCY'],
    default: '10',
    help: 'How many asynchronous invocations of one function run at the same time, at most; the others wait.',
  },
  sqsEndpoint: {
    type: 'optional-url',
    flag: '--sqs-endpoint <url>',
    variables: ['LAMELLA_SQS_ENDPOINT'],
    default: undefined,
    defaultText: 'the queues of this service',
    help: 'SQS elsewhere, for event source mappings, dead-letter queues, destinations and topics.',
  },
  awsAccessKeyId: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_ACCESS_KEY_ID'],
    default: 'lamella',
    help: 'Access key for SQS elsewhere.',
  },
  awsSecretAccessKey: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_SECRET_ACCESS_KEY'],
    default: 'lamella',
    help: 'Secret key for SQS elsewhere.',
  },
  awsSessionToken: {
    type: 'optional-text',
    flag: undefined,
    variables: ['AWS_SESSION_TOKEN'],
    default: undefined,
    help: 'Session token for SQS elsewhere.',
  },
  logLevel: {
    type: 'log-level',
    flag: '--log-level <level>',
    variables: ['LAMELLA_LOG_LEVEL'],
    default: 'warn',
    help: "What the service says about itself on standard error: debug, info, warn, error or silent. Not the functions' logs.",
  },
} as const satisfies Record<string, OptionRow>;

/** The options of the commands that talk to a running service. */
export const CLIENT_OPTIONS = {
  endpointUrl: {
    type: 'url',
    flag: '--endpoint-url <url>',
    variables: ['AWS_ENDPOINT_URL_LAMBDA', 'AWS_ENDPOINT_URL'],
    default: 'http://127.0.0.1:3001',
    help: 'Where the service listens.',
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
    help: 'Access key to sign requests with.',
  },
  secretAccessKey: {
    type: 'text',
    flag: undefined,
    variables: ['AWS_SECRET_ACCESS_KEY'],
    default: 'lamella',
    help: 'Secret key to sign requests with.',
  },
} as const satisfies Record<string, OptionRow>;

/** The options of the commands that build layers. */
export const BUILD_OPTIONS = {
  cacheDir: {
    type: 'path',
    flag: '--cache-dir <folder>',
    variables: ['LAMELLA_CACHE_DIR'],
    default: (environment) => join(cacheHome(environment), 'lamella'),
    defaultText: '$XDG_CACHE_HOME/lamella, else ~/.cache/lamella',
    help: 'Folder that keeps what was downloaded.',
  },
} as const satisfies Record<string, OptionRow>;

type Table = Readonly<Record<string, OptionRow>>;
type Resolved<T extends Table> = { readonly [Name in keyof T]: ValueTypes[T[Name]['type']] };

/** The settings of a service, complete and frozen. */
export type Options = Resolved<typeof OPTIONS>;
export type ClientOptions = Resolved<typeof CLIENT_OPTIONS>;
export type BuildOptions = Resolved<typeof BUILD_OPTIONS>;

/** What was given on the command line or by a library's caller: text as typed, or values of the right type. */
export type Given = Readonly<Record<string, unknown>>;

/** Resolves the options of `lamella start`. Throws `OperatorError` `usage` for a value that is none. */
export function resolveOptions(given: Given = {}, environment: Environment = process.env): Options {
  return resolveTable(OPTIONS, given, environment, 'start');
}

/** Resolves the options of a command that talks to a service. */
export function resolveClientOptions(given: Given, command: string, environment: Environment = process.env) {
  return resolveTable(CLIENT_OPTIONS, given, environment, command);
}

/** Resolves the options of a command that builds something. */
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

/** The flag, else the first variable that is set and not empty, else the default. */
function pick(row: OptionRow, flag: unknown, environment: Environment): { value: unknown; source: string } {
  if (flag !== undefined) return { value: flag, source: row.flag?.split(' ', 1)[0] ?? 'The option' };
  for (const variable of row.variables) {
    const value = environment[variable];
    if (value) return { value, source: `The environment variable ${variable}` };
  }
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
        : { problem: 'must name a folder.' };
    case 'optional-path':
      if (value === undefined) return { value };
      return typeof value === 'string' && value !== ''
        ? { value: resolvePath(value) }
        : { problem: 'must name a file.' };
    case 'url':
      return parseUrl(value);
    case 'optional-port':
      return value === undefined ? { value } : parseInteger(value, 0, 65_535, 'a port number from 0 to 65535');
    case 'lines':
      return { value: Object.freeze(linesOf(value)) };
    case 'port':
      return parseInteger(value, 0, 65_535, 'a port number from 0 to 65535');
    case 'count':
      return parseInteger(value, 1, 2_147_483_647, 'a whole number from 1');
    case 'switch':
      return parseSwitch(value);
    case 'names':
      return { value: Object.freeze(words(value)) };
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
  const parts = words(value).map((word) => (/^\d{1,9}(\.\d+)?$/.test(word) ? Number(word) : Number.NaN));
  return parts.length > 0 && parts.every((part) => !Number.isNaN(part))
    ? { value: Object.freeze(parts) }
    : { problem: `must be seconds, separated by commas, not ${quote(value)}.` };
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

/** `--strict` alone arrives as `true` and means everything. */
function parseStrictness(value: unknown): Parsed {
  if (value === true || value === '1' || value === 'true') return { value: STRICTNESS };
  if (value === false || value === '0' || value === 'false') return { value: Object.freeze([]) };
  const wanted = words(value);
  if (wanted.includes('true')) return { value: STRICTNESS };
  const unknown = wanted.find((word) => !STRICTNESS.some((known) => known === word));
  return unknown === undefined
    ? { value: Object.freeze(STRICTNESS.filter((known) => wanted.includes(known))) }
    : { problem: `knows ${STRICTNESS.join(' and ')}, not ${quote(unknown)}.` };
}

function parseKeyPairs(value: unknown): Parsed {
  const pairs = new Map<string, string>();
  for (const word of words(value)) {
    const [, id, secret] = /^([^:]+):(.+)$/.exec(word) ?? [];
    // A secret that was mistyped is a secret still: it is not repeated.
    if (id === undefined || secret === undefined) return { problem: 'must be an access key, a colon and its secret.' };
    pairs.set(id, secret);
  }
  return { value: pairs };
}

/** A list given by repeating, or separated by commas. */
function words(value: unknown): string[] {
  if (value === undefined) return [];
  const parts = Array.isArray(value) ? value : [value];
  return parts.flatMap((part) => String(part).split(',')).flatMap((word) => word.trim() || []);
}

/** A list given by repeating, or one to a line. */
function linesOf(value: unknown): string[] {
  if (value === undefined) return [];
  const parts = Array.isArray(value) ? value : [value];
  return parts.flatMap((part) => String(part).split('\n')).flatMap((line) => line.trim() || []);
}

function quote(value: unknown): string {
  return `"${String(value)}"`;
}

/** The XDG rule: a relative path in these variables is to be ignored. */
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
