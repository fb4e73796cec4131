/**
 * The command line: argv -> command -> exit code. Lists the commands and turns errors into text; each command's work
 * is in `commands/`, loaded only when it runs. Exit codes: 0 done, 1 failed (a function's error included), 2 usage,
 * 4 this machine is not fit, 5 no answer of the service, or an error.
 */
import { Command, CommanderError } from 'commander';
import { OperatorError } from '../operator-error.ts';
import { BUILD_OPTIONS, CLIENT_OPTIONS, OPTIONS } from '../options.ts';
import type { CommandRow, Groups } from './command.ts';
import { addCommand } from './command.ts';
import { Interrupted } from './interruption.ts';
import { say, sayProblem } from './output.ts';
import { packageVersion } from './package-version.ts';

export const GROUPS: Groups = {
  layer: 'Make layers and look into them',
  'layer build': 'Build a layer archive',
};

/** How the libraries of a PHP layer are chosen. */
const PHP_LAYER_FLAGS = [
  {
    flag: '--base <base>',
    choices: ['glibc', 'al2023'],
    help: "al2023: leave out the libraries that AWS's Amazon Linux 2023 has. glibc: for any Linux. glibc otherwise.",
  },
  { flag: '--kerberos', help: "Pack Kerberos's libraries, for curl and others to log in with." },
] as const;

export const COMMANDS: readonly CommandRow[] = [
  {
    words: 'start',
    summary: 'Start the Lambda service on this machine',
    options: [OPTIONS],
    examples: [
      ['lamella start', 'the API on http://127.0.0.1:3001, everything kept'],
      ['lamella start --port 0 --ephemeral --ready-file ready.json', 'a service for a test'],
      ['lamella start --strict', 'refuse everything that AWS would refuse'],
      ['lamella start --route "GET /users/{id} -> users"', 'an HTTP API on port 3000 in front of a function'],
      ['lamella start --route "rest ANY /{proxy+} -> app" --route "alb /old/* -> old"', 'a REST API, a load balancer'],
    ],
    load: () => import('./commands/start.ts'),
  },
  {
    words: 'invoke',
    summary: 'Invoke a function and print what it returns',
    args: { '<function>': 'Name or ARN of the function, with or without :QUALIFIER.' },
    options: [
      [
        { flag: '-d, --data <json>', help: 'The event.' },
        { flag: '-e, --event <file>', help: 'File that holds the event; - reads standard input.' },
        { flag: '--qualifier <qualifier>', help: 'Version or alias.' },
        {
          flag: '--log-type <type>',
          choices: ['Tail', 'None'],
          help: "Whether the last 4 KB of the invocation's log appear on standard error; Tail unless said otherwise.",
        },
      ],
      { endpointUrl: CLIENT_OPTIONS.endpointUrl, region: CLIENT_OPTIONS.region },
    ],
    examples: [
      [`lamella invoke hello -d '{"name":"World"}'`, 'the answer on standard output, the log on standard error'],
      ['lamella invoke hello -e event.json --log-type None', 'the answer alone'],
      ['echo {} | lamella invoke hello -e - > answer.json', 'in a pipe'],
    ],
    load: () => import('./commands/invoke.ts'),
  },
  {
    words: 'doctor',
    summary: 'Say what this machine can isolate and limit, and what is missing',
    options: [[{ flag: '--json', help: 'Print the findings as JSON.' }]],
    examples: [
      ['lamella doctor', 'findings, and the command that mends each'],
      ['lamella doctor --json', 'for programs'],
    ],
    load: () => import('./commands/doctor.ts'),
  },
  {
    words: 'layer build php',
    summary: 'Build a runtime layer: PHP for Amazon Linux with the extensions asked for',
    options: [
      [
        { flag: '--version <version>', help: 'PHP version; 8.4 unless said otherwise.' },
        {
          flag: '--variant <variant>',
          choices: ['lean', 'http', 'full'],
          help: 'lean: for functions. http: adds what web applications need. full: also what Bref has. lean otherwise.',
        },
        ...PHP_LAYER_FLAGS,
        {
          flag: '--extensions <list>',
          help: "Extensions, separated by commas, in place of the variant's; auto: those that composer.json asks for.",
        },
        { flag: '--project <folder>', help: 'Folder of that composer.json; the current one unless said otherwise.' },
        { flag: '--source <archive>', help: 'Compile this php-X.Y.Z.tar.xz in place of fetching a PHP.' },
        {
          flag: '--configure <options>',
          help: "Options for PHP's configure, in one argument: --with-curl --with-zlib",
        },
        { flag: '--in <rootfs>', help: 'Compile inside this root folder of another system, with its compiler.' },
        { flag: '--bootstrap <file>', help: "A bootstrap of your own to pack in place of Lamella's runtime." },
        { flag: '-o, --output <file>', help: 'The archive to write; php.zip unless said otherwise.' },
        { flag: '--json', help: 'Print what was built as JSON.' },
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['lamella layer build php --version 8.4 -o php.zip', 'a small layer that starts on any Linux'],
      ['lamella layer build php --base al2023 -o php.zip', 'the smallest, for AWS alone'],
      ['lamella layer build php --extensions curl,mbstring -o php.zip', 'with two extensions'],
      ['lamella layer build php --extensions auto,redis -o php.zip', "with the project's extensions and one more"],
      ['lamella layer build php --variant http -o php.zip', 'for WordPress and other web applications'],
      ['lamella layer build php --source php-8.4.14.tar.xz --configure "--with-openssl --with-curl"', 'compiled here'],
      ['lamella layer build php --bootstrap ./bootstrap -o runtime.zip', 'with a runtime of your own'],
    ],
    load: () => import('./commands/layer-build-php.ts'),
  },
  {
    words: 'layer build php-extension',
    summary: 'Build a layer of PHP extensions, to go with a PHP layer',
    args: { '<extensions>': 'Names, separated by commas.' },
    options: [
      [
        { flag: '--version <version>', help: 'PHP version; 8.4 unless said otherwise.' },
        {
          flag: '--variant <variant>',
          choices: ['lean', 'http', 'full'],
          help: 'The PHP layer that it goes with; what that one has is left out. lean unless said otherwise.',
        },
        ...PHP_LAYER_FLAGS,
        { flag: '-o, --output <file>', help: 'The archive to write; php-NAMES.zip unless said otherwise.' },
        { flag: '--json', help: 'Print what was built as JSON.' },
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['lamella layer build php-extension intl -o intl.zip', 'intl with its 30 MB of data'],
      ['lamella layer build php-extension redis,apcu --version 8.3', 'two, in php-redis-apcu.zip'],
    ],
    load: () => import('./commands/layer-build-php-extension.ts'),
  },
  {
    words: 'layer build opcache',
    summary: "Build a layer of a function's PHP code, compiled ahead of time (PHP 8.5)",
    args: { '[folder]': "The function's code; the current folder unless said otherwise." },
    options: [
      [
        { flag: '--version <version>', help: 'PHP version of the runtime layer; 8.5 unless said otherwise.' },
        {
          flag: '--variant <variant>',
          choices: ['lean', 'http', 'full'],
          help: 'Variant of the runtime layer; lean unless said otherwise.',
        },
        { flag: '--extensions <list>', help: 'Extensions of the runtime layer; auto as for that one.' },
        { flag: '--layers <list>', help: 'Archives of layers whose vendor/ is compiled too, separated by commas.' },
        { flag: '-o, --output <file>', help: 'The archive to write; opcache.zip unless said otherwise.' },
        { flag: '--json', help: 'Print what was built as JSON.' },
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['lamella layer build opcache . -o opcache.zip', 'the code of this folder'],
      ['lamella layer build opcache . --layers vendor.zip', 'and of its vendor layer'],
    ],
    load: () => import('./commands/layer-build-opcache.ts'),
  },
  {
    words: 'layer inspect',
    summary: "Say what is in a layer's archive, and what it lacks",
    args: { '<zip>': 'The archive.' },
    options: [
      [
        { flag: '--all', help: 'Show every file.' },
        { flag: '--json', help: 'Print everything as JSON.' },
      ],
    ],
    examples: [
      ['lamella layer inspect php.zip', 'sizes, extensions, missing libraries'],
      ['lamella layer inspect php.zip --json', 'for programs'],
    ],
    load: () => import('./commands/layer-inspect.ts'),
  },
  {
    words: 'layer diff',
    summary: "Say what differs between two layers' archives",
    args: { '<before>': 'An archive.', '<after>': 'Another archive.' },
    options: [[{ flag: '--json', help: 'Print the differences as JSON.' }]],
    examples: [['lamella layer diff php-old.zip php.zip', 'files, sizes, extensions']],
    load: () => import('./commands/layer-diff.ts'),
  },
  {
    words: 'layer build node',
    summary: 'Build a runtime layer: Node with a runtime for TypeScript and JavaScript handlers',
    options: [
      [
        { flag: '--version <version>', help: 'Node version: 20, 22 or 24; 22 unless said otherwise.' },
        {
          flag: '--architecture <architecture>',
          choices: ['x86_64', 'arm64'],
          help: 'Processor of the functions; x86_64 unless said otherwise.',
        },
        { flag: '--bootstrap <file>', help: "A bootstrap of your own to pack in place of Lamella's runtime." },
        { flag: '-o, --output <file>', help: 'The archive to write; node.zip unless said otherwise.' },
        { flag: '--json', help: 'Print what was built as JSON.' },
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['lamella layer build node -o node.zip', 'Node 22, which runs TypeScript as it is'],
      ['lamella layer build node --version 24 --architecture arm64 -o node.zip', 'for Graviton'],
    ],
    load: () => import('./commands/layer-build-node.ts'),
  },
  {
    words: 'package',
    summary: "Make a function's archive from its folder; TypeScript becomes JavaScript",
    args: { '[folder]': 'Folder with the code; the current one unless said otherwise.' },
    options: [
      [
        { flag: '-o, --output <file>', help: 'The archive to write; function.zip unless said otherwise.' },
        {
          flag: '--handler <list>',
          help: 'Handlers to bundle, separated by commas: src/hello.handler. Looked for unless said.',
        },
        { flag: '--no-bundle', help: 'Keep files and packages apart; only types are removed.' },
        { flag: '--external <list>', help: 'Packages to keep out of the bundle, separated by commas.' },
        { flag: '--minify', help: 'Make the code small.' },
        { flag: '--no-source-map', help: 'No source maps; traces then show the code that was made.' },
        { flag: '--format <format>', choices: ['esm', 'cjs'], help: "As the project's package.json says, otherwise." },
        { flag: '--target <target>', help: 'Oldest Node that runs it; node20 unless said otherwise.' },
        { flag: '--json', help: 'Print what was packed as JSON.' },
      ],
    ],
    examples: [
      ['lamella package . -o function.zip', 'files as they are; a TypeScript handler in one bundle'],
      ['lamella package . --handler src/hello.handler --minify', 'one handler, small'],
      ['lamella package . --no-bundle', 'file by file'],
    ],
    load: () => import('./commands/package.ts'),
  },
  {
    words: 'layer build composer',
    summary: "Build a vendor layer: a project's Composer packages under vendor/",
    args: { '<project>': 'Folder that holds composer.json.' },
    options: [
      [
        { flag: '--version <version>', help: 'PHP version of the runtime layer; 8.4 unless said otherwise.' },
        {
          flag: '--variant <variant>',
          choices: ['lean', 'http', 'full'],
          help: 'Variant of the runtime layer; lean unless said otherwise.',
        },
        {
          flag: '--extensions <list>',
          help: 'Extensions of the runtime layer; packages are chosen to fit them. auto: those that the project asks for.',
        },
        { flag: '-o, --output <file>', help: 'The archive to write; vendor.zip unless said otherwise.' },
        { flag: '--json', help: 'Print what was built as JSON.' },
      ],
      BUILD_OPTIONS,
    ],
    examples: [['lamella layer build composer . -o vendor.zip', 'the packages of this project']],
    load: () => import('./commands/layer-build-composer.ts'),
  },
];

/** Runs one command line (without node and script) and gives the exit code. Never throws for a user's mistake. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command('lamella')
    .description('AWS Lambda custom runtimes and layers on this machine, without Docker')
    .version(packageVersion(), '--version', 'Print the version')
    .helpOption('-h, --help', 'Print this help')
    .helpCommand(false)
    // `--version` means this program's only before the command; `layer build php` has its own.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) })
    .addHelpText(
      'after',
      '\nExamples:\n  $ lamella doctor\n  $ lamella start\n  $ lamella invoke hello -d \'{"name":"World"}\'',
    );
  for (const row of COMMANDS) {
    addCommand(program, row, GROUPS, (code) => {
      exitCode = code;
    });
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (failure) {
    return explain(failure);
  }
}

function explain(failure: unknown): number {
  // commander has printed its own text already.
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : 2;
  if (failure instanceof OperatorError) {
    sayProblem(failure.message, failure.remedy);
    return failure.exitCode;
  }
  if (failure instanceof Interrupted) {
    say(`Interrupted: ${failure.message}.`);
    return failure.exitCode;
  }
  throw failure;
}
