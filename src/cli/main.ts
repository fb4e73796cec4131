/**
 * The command line: argv -> command -> exit code. Lists the commands and prints errors. The work of each command is in
 * `commands/`, loaded only when it runs. Exit codes: 0 success, 1 failure (also of a function), 2 usage, 4 this machine
 * does not meet a requirement, 5 the service did not respond or responded with an error.
 */
import { Command, CommanderError } from 'commander';
import { OperatorError } from '../operator-error.ts';
import {
  BUILD_OPTIONS,
  CLIENT_OPTIONS,
  CLOUD_OPTIONS,
  findUnknownVariables,
  nearestOf,
  OPTIONS,
  TOOL_OPTIONS,
} from '../options.ts';
import type { CommandRow, ParentCommands } from './command.ts';
import { addCommand, HELP_CONFIGURATION, optionNamesOf, renderExamples } from './command.ts';
import { Interrupted } from './interruption.ts';
import { ignoreClosedPipes, printError, printStatus, printWarning } from './output.ts';
import { packageVersion } from './package-version.ts';

export const PARENT_COMMANDS: ParentCommands = {
  template: 'Work with SAM and CloudFormation templates',
  layer: 'Build, inspect and compare layers',
  'layer build': 'Build a layer',
  debug: 'Set up editors to debug functions',
  cache: 'Remove downloads',
  queue: 'Look into queues, and move messages in and out',
  schedule: 'List schedules, and send their events',
};

/** How the libraries of a PHP layer are chosen. */
const PHP_LIBRARY_FLAGS = [
  {
    flag: '--base <base>',
    choices: ['glibc', 'al2023'],
    help: 'glibc: for any Linux. al2023: smaller, without the libraries that Amazon Linux 2023 on AWS has.',
    default: 'glibc',
  },
  { flag: '--kerberos', help: 'Include the Kerberos libraries, which curl and others can use to log in.' },
] as const;

/** The variant of the runtime layer that another layer is built for. */
const RUNTIME_VARIANT = {
  flag: '--variant <variant>',
  choices: ['lean', 'http', 'full'],
  help: 'Variant of the runtime layer.',
  default: 'lean',
} as const;

/** The options of a service that `lamella run` starts for a program. */
const { readyFile: _, json: __, quiet: ___, detach: ____, ...RUN_OPTIONS } = OPTIONS;

/** The options of a service that `lamella dev` starts. */
const { detach: _____, ...SERVICE_OPTIONS } = OPTIONS;
const DEV_OPTIONS = {
  ...SERVICE_OPTIONS,
  port: { ...OPTIONS.port, defaultText: '3001, or a free port if it is taken' },
  dataDir: { ...OPTIONS.dataDir, defaultText: 'a directory of the project in ~/.local/share/lamella-dev' },
} as const;

const JSON_FLAG = { flag: '--json', help: 'Print the result as JSON.' } as const;

/** Which stack, and from which template. Names are those of SAM. */
const STACK_FLAGS = [
  { flag: '-t, --template-file <file>', help: 'The template, named as in SAM.' },
  { flag: '--stack-name <name>', help: 'Name of the stack.', default: "the name of the template's directory" },
  { flag: '--profile <name>', help: "Profile of AWS's configuration files." },
  { flag: '-b, --build-dir <directory>', help: 'Directory for what is built.', default: '.aws-sam/build' },
] as const;

/** Where a deployment uploads to. */
const BUCKET_FLAGS = [
  { flag: '--s3-bucket <bucket>', help: 'Bucket for the code.', default: 'that of --resolve-s3' },
  { flag: '--s3-bucket-owner <account>', help: 'Account that owns --s3-bucket, if it is not yours.' },
  {
    flag: '--s3-prefix <prefix>',
    help: 'Beginning of the keys of what is uploaded.',
    default: 'the name of the stack',
  },
  {
    flag: '--resolve-s3',
    help: 'Use the bucket that SAM manages, and make it if it is missing: encrypted and closed to the public.',
  },
] as const;

const PARAMETER_OVERRIDES = {
  flag: '--parameter-overrides <values...>',
  help: 'Values of parameters: NAME=VALUE, separated by spaces.',
  isRepeatable: true,
} as const;

/** Options of commands that read a template. */
const TEMPLATE_OPTIONS = [
  { region: { ...CLIENT_OPTIONS.region, help: 'Region of the stack.' } },
  [
    {
      flag: '--parameters <json>',
      help: 'Values of parameters: {"Name": "value"}, or the list that the AWS CLI takes.',
    },
  ],
] as const;

/** AWS instead of the service here. */
const REMOTE_FLAGS = [
  {
    flag: '--remote',
    help: "Call AWS, with the keys of AWS's default chain. Endpoint variables have no effect then.",
  },
  { flag: '--profile <name>', help: "Profile of AWS's configuration files, for --remote." },
] as const;

/** The commands, in the order of the help. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'start',
    group: 'Run functions',
    summary: 'Start the Lambda service on this machine',
    options: [OPTIONS],
    examples: [
      ['Start the API at http://127.0.0.1:3001 and keep all data', 'lamella start'],
      [
        'Start a service for a test, on a free port, with temporary data',
        'lamella start --port 0 --ephemeral --ready-file ready.json',
      ],
      ['Reject everything that AWS would reject', 'lamella start --strict'],
      ['Put an HTTP API on port 3000 in front of a function', 'lamella start --route "GET /users/{id} -> users"'],
      ['Start the service in the background', 'lamella start --detach'],
      [
        'Put a REST API and a load balancer in front of two functions',
        'lamella start --route "rest ANY /{proxy+} -> app" --route "alb /old/* -> old"',
      ],
    ],
    load: () => import('./commands/start.ts'),
  },
  {
    name: 'init',
    group: 'Run functions',
    summary: 'Create a project that `lamella dev` runs and AWS accepts',
    args: { '[directory]': 'Directory of the project. (default: this one)' },
    options: [
      [
        {
          flag: '-t, --template <name>',
          help: 'php-functions, php-web, typescript or shell. A terminal is asked for it.',
          default: 'php-functions',
        },
        JSON_FLAG,
      ],
    ],
    examples: [
      ['Create a project with two PHP functions', 'lamella init hello --template php-functions'],
      ['Choose the template in a terminal', 'lamella init hello'],
      ['Run it', 'cd hello && lamella dev'],
    ],
    load: () => import('./commands/init.ts'),
  },
  {
    name: 'dev',
    group: 'Run functions',
    summary: 'Run a project, and its changes as soon as a file is saved',
    args: {
      '[project]': 'Template, directory, or file with a handler. (default: the template or handler of this directory)',
    },
    options: [
      DEV_OPTIONS,
      [
        {
          flag: '--env-file <file>',
          help: 'Variables of all functions. Can be repeated. (default: .env beside the template)',
          isRepeatable: true,
        },
        {
          flag: '-n, --env-vars <file>',
          help: 'JSON with variables by function, as SAM has it: {"Hello": {"NAME": "value"}, "Parameters": {}}.',
        },
        PARAMETER_OVERRIDES,
      ],
    ],
    examples: [
      ['Run the template of this directory', 'lamella dev'],
      ['Run one function without a template', 'lamella dev hello.php'],
      ['Wait in a script until the project runs', 'lamella dev --port 0 --ephemeral --ready-file ready.json'],
      ['Reject resources that have no effect here', 'lamella dev --unsupported fail'],
    ],
    load: () => import('./commands/dev.ts'),
  },
  {
    name: 'status',
    group: 'Run functions',
    summary: 'Show the services that run',
    options: [{ endpointUrl: TOOL_OPTIONS.endpointUrl, accessKeys: TOOL_OPTIONS.accessKeys }, [JSON_FLAG]],
    examples: [
      ['Show all services of this user', 'lamella status'],
      ['Check in a script whether one runs', 'lamella status --json > /dev/null'],
    ],
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'stop',
    group: 'Run functions',
    summary: 'Stop a service, such as one in the background',
    options: [
      { endpointUrl: TOOL_OPTIONS.endpointUrl, dataDir: TOOL_OPTIONS.dataDir },
      [{ flag: '--all', help: 'Stop all services of this user.' }, JSON_FLAG],
    ],
    examples: [
      ['Stop the service with the default data directory, or the only one', 'lamella stop'],
      ['Stop another one', 'lamella stop --endpoint-url http://127.0.0.1:4001'],
    ],
    load: () => import('./commands/stop.ts'),
  },
  {
    name: 'invoke',
    group: 'Run functions',
    summary: 'Invoke a function and print its response',
    args: { '<function>': 'Name or ARN of the function, with or without :QUALIFIER.' },
    options: [
      [
        {
          flag: '-d, --data <json>',
          help: 'The event as JSON, or @FILE to read it from a file. @- is standard input. Can be repeated.',
          isRepeatable: true,
        },
        {
          flag: '--payload <json>',
          help: 'The same as --data, named as in the AWS CLI. It is not base64.',
          isRepeatable: true,
        },
        {
          flag: '-e, --event <file>',
          help: 'File that contains the event. Use - for standard input. Can be repeated.',
          isRepeatable: true,
        },
        { flag: '--repeat <count>', help: 'Send each event this number of times.', default: '1' },
        { flag: '--qualifier <qualifier>', help: 'Version or alias.' },
        {
          flag: '--log-type <type>',
          choices: ['Tail', 'None'],
          help: 'Tail: print the log of the invocation to standard error. None: print no log.',
          default: 'Tail',
        },
      ],
      REMOTE_FLAGS,
      [{ ...JSON_FLAG, help: 'Print each response as one line of JSON, with the log.' }],
      { ...TOOL_OPTIONS, region: CLIENT_OPTIONS.region },
    ],
    examples: [
      [
        'Print the response to standard output and the log to standard error',
        `lamella invoke hello -d '{"name":"World"}'`,
      ],
      ['Read the event from a file and print only the response', 'lamella invoke hello -e event.json --log-type None'],
      ['Send an example of an event', 'lamella event s3 put --bucket photos | lamella invoke hello -d @-'],
      ['Send several events, each ten times', 'lamella invoke hello -e a.json -e b.json --repeat 10'],
      ['Invoke the function on AWS', 'lamella invoke hello --remote --profile production'],
      ['Use it in a pipe', 'echo {} | lamella invoke hello -d @- > response.json'],
    ],
    load: () => import('./commands/invoke.ts'),
  },
  {
    name: 'event',
    group: 'Use the service',
    summary: 'Write an example of an event of S3, SQS, an HTTP API and others',
    args: {
      '[service]': 'Service that sends the event, such as s3. (default: list all)',
      '[type]': 'Type of the event, such as put.',
      '[fields...]': 'Fields of the event, such as --bucket NAME; --save FILE; --help lists the fields.',
    },
    passesThrough: true,
    options: [[{ flag: '--json', help: 'Print the list, or the event on one line, as JSON.' }]],
    examples: [
      ['List all events', 'lamella event'],
      [
        'Invoke a function with the event of a new object',
        'lamella event s3 put --bucket photos | lamella invoke hello -d @-',
      ],
      ['Save an HTTP request for tests', 'lamella event lambda-url request --path /users --save request.json'],
      ['Show the fields of an event', 'lamella event sqs receive-message --help'],
    ],
    load: () => import('./commands/event.ts'),
  },
  {
    name: 'list',
    group: 'Use the service',
    summary: 'List functions, layers, event source mappings, queues, schedules and HTTP gateways',
    options: [REMOTE_FLAGS, [JSON_FLAG], TOOL_OPTIONS],
    examples: [
      ['List everything in the region', 'lamella list'],
      ['Print the names of the functions', "lamella list --json | jq -r '.functions[].FunctionName'"],
    ],
    load: () => import('./commands/list.ts'),
  },
  {
    name: 'logs',
    group: 'Use the service',
    summary: 'Print and follow the log of a function, or of all functions',
    args: { '[function]': 'Name of the function. (default: all functions)' },
    options: [
      [
        { flag: '-f, --follow', help: 'Wait for more.' },
        {
          flag: '--since <time>',
          help: 'Oldest events to print: 30s, 10m, 2h, 1d, 1w or a date of ISO 8601.',
          default: '10m',
        },
        { flag: '--filter <pattern>', help: 'Filter pattern of CloudWatch Logs.' },
        { flag: '--raw', help: 'Print events as they are, with START, END and REPORT.' },
        { flag: '--json', help: 'Print each event as one line of JSON.' },
      ],
      REMOTE_FLAGS,
      TOOL_OPTIONS,
    ],
    examples: [
      ['Follow a function', 'lamella logs hello -f'],
      ['Find errors of all functions since yesterday', 'lamella logs --since 1d --filter ERROR'],
      ['Follow the function on AWS', 'lamella logs hello -f --remote'],
    ],
    load: () => import('./commands/logs.ts'),
  },
  {
    name: 'queue list',
    group: 'Use the service',
    summary: 'List queues with the number of their messages',
    options: [[JSON_FLAG], TOOL_OPTIONS],
    examples: [['List the queues', 'lamella queue list']],
    load: async () => ({ run: (await import('./commands/queue.ts')).runList }),
  },
  {
    name: 'queue send',
    group: 'Use the service',
    summary: 'Send a message to a queue',
    args: { '<name>': 'Name or URL of the queue.' },
    options: [
      [
        { flag: '-d, --data <text>', help: 'The message, or @FILE to read it from a file. @- is standard input.' },
        { flag: '--delay <seconds>', help: 'Seconds before consumers get it.' },
        { flag: '--group-id <id>', help: 'Message group, for a FIFO queue.' },
        { flag: '--deduplication-id <id>', help: 'Deduplication ID, for a FIFO queue.' },
      ],
      [JSON_FLAG],
      TOOL_OPTIONS,
    ],
    examples: [
      ['Send a message', 'lamella queue send orders -d \'{"id":1}\''],
      ['Send a file', 'lamella queue send orders -d @order.json'],
    ],
    load: async () => ({ run: (await import('./commands/queue.ts')).runSend }),
  },
  {
    name: 'queue receive',
    group: 'Use the service',
    summary: 'Look at the messages of a queue, or take them',
    args: { '<name>': 'Name or URL of the queue.' },
    options: [
      [
        { flag: '--max <count>', help: 'Number of messages, at most 10.', default: '1' },
        { flag: '--wait <seconds>', help: 'Seconds to wait for a message, at most 20.', default: '0' },
        {
          flag: '--delete',
          help: 'Remove the messages from the queue. Without it they stay, and count as received once more.',
        },
      ],
      [JSON_FLAG],
      TOOL_OPTIONS,
    ],
    examples: [
      ['Look at up to ten messages', 'lamella queue receive orders --max 10'],
      ['Take one', 'lamella queue receive orders --delete'],
    ],
    load: async () => ({ run: (await import('./commands/queue.ts')).runReceive }),
  },
  {
    name: 'queue purge',
    group: 'Use the service',
    summary: 'Remove all messages from a queue',
    args: { '<name>': 'Name or URL of the queue.' },
    options: [[JSON_FLAG], TOOL_OPTIONS],
    examples: [['Empty a queue', 'lamella queue purge orders']],
    load: async () => ({ run: (await import('./commands/queue.ts')).runPurge }),
  },
  {
    name: 'queue redrive',
    group: 'Use the service',
    summary: 'Move the messages of a dead-letter queue back to where they came from',
    args: { '<name>': 'Name or URL of the queue.' },
    options: [[JSON_FLAG], TOOL_OPTIONS],
    examples: [['Try failed messages again', 'lamella queue redrive orders-dead']],
    load: async () => ({ run: (await import('./commands/queue.ts')).runRedrive }),
  },
  {
    name: 'schedule list',
    group: 'Use the service',
    summary: 'List schedules with their next time',
    options: [[JSON_FLAG], TOOL_OPTIONS],
    examples: [['List the schedules', 'lamella schedule list']],
    load: async () => ({ run: (await import('./commands/schedule.ts')).runList }),
  },
  {
    name: 'schedule fire',
    group: 'Use the service',
    summary: 'Send the event of a schedule now',
    args: { '<name>': 'Name of the schedule.' },
    options: [[JSON_FLAG], TOOL_OPTIONS],
    examples: [['Do not wait for midnight', 'lamella schedule fire nightly']],
    load: async () => ({ run: (await import('./commands/schedule.ts')).runFire }),
  },
  {
    name: 'debug config',
    group: 'Run functions',
    summary: 'Print settings for VS Code to debug functions, or write them to .vscode/launch.json',
    args: { '[directory]': 'The project. Defaults to the current directory.' },
    options: [
      [
        { flag: '--code <directory>', help: "Directory with the functions' code, relative to the project." },
        { flag: '--write', help: 'Add them to .vscode/launch.json of the project.' },
      ],
    ],
    examples: [
      ['Write the settings, and debug the function hello', 'lamella debug config --write'],
      ['Settings for functions whose code is in app/', 'lamella debug config --code app'],
    ],
    load: () => import('./commands/debug-config.ts'),
  },
  {
    name: 'run',
    group: 'Use the service',
    summary: 'Run a program with the service as its AWS, and start one if none runs',
    args: { '[command...]': 'Program with its arguments, after --.' },
    passesThrough: true,
    options: [
      {
        endpointUrl: TOOL_OPTIONS.endpointUrl,
        ...RUN_OPTIONS,
        port: { ...OPTIONS.port, default: undefined, defaultText: 'a free port' },
        dataDir: {
          ...OPTIONS.dataDir,
          help: 'Data directory: of the service to use, or of the one that is started.',
        },
      },
    ],
    examples: [
      ['Run tests against the service that runs, or one of their own', 'lamella run -- npm test'],
      ['Always start a new one, without data', 'lamella run --ephemeral -- vendor/bin/phpunit'],
      ['Use a deployment tool', 'lamella run -- npx serverless deploy'],
    ],
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'aws',
    group: 'Use the service',
    summary: 'Run the AWS CLI, of any version, against the service',
    args: { '[arguments...]': 'Everything that follows aws.' },
    passesThrough: true,
    options: [],
    examples: [
      ['List the functions', 'lamella aws lambda list-functions'],
      ['Follow a log', 'lamella aws logs tail /aws/lambda/hello --follow'],
      ['Use another region', 'lamella aws --region eu-central-1 sqs list-queues'],
    ],
    load: () => import('./commands/aws.ts'),
  },
  {
    name: 'env',
    group: 'Use the service',
    summary: 'Print the environment variables with which AWS tools and SDKs use the service',
    options: [
      TOOL_OPTIONS,
      [
        {
          flag: '--shell <shell>',
          choices: ['sh', 'fish', 'csh', 'powershell', 'dotenv'],
          help: 'Syntax of the output.',
          default: 'that of $SHELL',
        },
        { flag: '--unset', help: 'Print the commands that remove the variables.' },
        { flag: '--json', help: 'Print the variables as JSON. null: remove it.' },
      ],
    ],
    examples: [
      ['Set the variables in this shell', 'eval "$(lamella env)"'],
      ['Remove them again', 'eval "$(lamella env --unset)"'],
      ['Set them in fish', 'lamella env --shell fish | source'],
      ['Write them to a file for Docker Compose', 'lamella env --shell dotenv > lamella.env'],
    ],
    load: () => import('./commands/env.ts'),
  },
  {
    name: 'deploy',
    group: 'Build and deploy',
    summary: 'Deploy a template to AWS, or to another endpoint, through CloudFormation',
    args: { '[template]': 'The template. (default: template.yaml, template.yml or template.json)' },
    options: [
      STACK_FLAGS,
      [
        PARAMETER_OVERRIDES,
        {
          flag: '--capabilities <names...>',
          help: 'What the template may do: CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND.',
          default: 'CAPABILITY_IAM CAPABILITY_AUTO_EXPAND',
          isRepeatable: true,
        },
        { flag: '--tags <tags...>', help: 'Tags of the stack and of its resources: NAME=VALUE.', isRepeatable: true },
        { flag: '--role-arn <arn>', help: 'Role that CloudFormation assumes for the stack.' },
        {
          flag: '--notification-arns <arns...>',
          help: 'Topics that get the events of the stack.',
          isRepeatable: true,
        },
        ...BUCKET_FLAGS,
        { flag: '-y, --yes', help: 'Do not ask.' },
        { flag: '--no-confirm-changeset', help: 'The same, named as in SAM.' },
        { flag: '--dry-run', help: 'Show the plan. Nothing is uploaded, and nothing changes.' },
        { flag: '--no-execute-changeset', help: 'Upload and create the change set, for somebody else to execute.' },
        { flag: '--no-check', help: 'Deploy although the checks of `lamella check` find errors.' },
        { flag: '--fail-on-empty-changeset', help: 'Exit with 1 if there is nothing to deploy.' },
        { flag: '--no-fail-on-empty-changeset', help: 'Exit with 0 then, which is the default.' },
        { flag: '--disable-rollback', help: 'Keep what was created if the deployment fails.' },
        {
          flag: '--on-failure <action>',
          choices: ['ROLLBACK', 'DELETE', 'DO_NOTHING'],
          help: 'What happens to a new stack whose creation fails.',
        },
        { flag: '--guided', help: 'Not supported: there is nothing to guide through.' },
        JSON_FLAG,
      ],
      CLOUD_OPTIONS,
      BUILD_OPTIONS,
    ],
    examples: [
      ['Deploy to AWS, with the keys of your profile', 'lamella deploy --profile production --region eu-central-1'],
      ['Show what would change', 'lamella deploy --dry-run'],
      [
        'Deploy from a script',
        "lamella deploy --yes --stack-name shop --parameter-overrides Stage=prod 'Title=My shop'",
      ],
      ['Deploy to the service on this machine', 'lamella deploy --endpoint-url http://127.0.0.1:3001'],
    ],
    load: () => import('./commands/deploy.ts'),
  },
  {
    name: 'check',
    group: 'Build and deploy',
    summary: 'Show what would be refused, fail or behave differently on AWS',
    args: { '[template]': 'The template. (default: template.yaml, template.yml or template.json)' },
    options: [
      [
        { flag: '-t, --template-file <file>', help: 'The template, named as in SAM.' },
        { flag: '-b, --build-dir <directory>', help: 'Directory for what is built.', default: '.aws-sam/build' },
        PARAMETER_OVERRIDES,
        { flag: '--strict', help: 'Exit with 1 for warnings too.' },
        JSON_FLAG,
      ],
      { region: { ...CLIENT_OPTIONS.region, help: 'Region of the stack.' } },
      BUILD_OPTIONS,
    ],
    examples: [
      ['Check the template, the code and the layers', 'lamella check'],
      ['Fail in CI for warnings too', 'lamella check --strict'],
    ],
    load: () => import('./commands/check.ts'),
  },
  {
    name: 'diff',
    group: 'Build and deploy',
    summary: 'Show what differs between a deployed stack and this project',
    args: { '[template]': 'The template. (default: template.yaml, template.yml or template.json)' },
    options: [
      STACK_FLAGS,
      [
        PARAMETER_OVERRIDES,
        ...BUCKET_FLAGS,
        { flag: '--exit-code', help: 'Exit with 1 if there are differences.' },
        JSON_FLAG,
      ],
      CLOUD_OPTIONS,
      BUILD_OPTIONS,
    ],
    examples: [
      ['Compare the template and the code', 'lamella diff --stack-name shop'],
      ['Fail in a script if something was not deployed', 'lamella diff --exit-code'],
    ],
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'destroy',
    group: 'Build and deploy',
    summary: 'Delete a stack, and what its deployments have uploaded',
    args: { '[stack]': "Name of the stack. (default: --stack-name, or the name of the template's directory)" },
    options: [
      [
        { flag: '--stack-name <name>', help: 'Name of the stack.' },
        { flag: '--profile <name>', help: "Profile of AWS's configuration files." },
        { flag: '--role-arn <arn>', help: 'Role that CloudFormation assumes for the stack.' },
        {
          flag: '--retain-resources <names...>',
          help: 'Logical IDs of resources to keep, after a deletion that failed.',
          isRepeatable: true,
        },
        { flag: '--empty-buckets', help: 'Delete the objects in buckets of the stack too.' },
        { flag: '--keep-uploads', help: 'Keep what deployments have uploaded.' },
        { flag: '--s3-bucket <bucket>', help: 'Bucket that the deployments used.', default: "SAM's" },
        { flag: '--s3-prefix <prefix>', help: 'Prefix that the deployments used. What is below it is kept.' },
        { flag: '-y, --yes', help: 'Do not ask. Buckets that are not empty stay, and the deletion fails.' },
        { flag: '--no-prompts', help: 'The same, named as in SAM.' },
        JSON_FLAG,
      ],
      CLOUD_OPTIONS,
    ],
    examples: [
      ['Delete the stack of this project', 'lamella destroy'],
      ['Delete a stack from a script', 'lamella destroy shop --yes --empty-buckets'],
    ],
    load: () => import('./commands/destroy.ts'),
  },
  {
    name: 'build',
    group: 'Build and deploy',
    summary: 'Build the functions and layers of a template',
    args: {
      '[template]': 'The template. (default: template.yaml, template.yml or template.json)',
      '[resources...]': 'Logical IDs of the functions and layers to build. (default: all)',
    },
    options: [
      [
        { flag: '-t, --template-file <file>', help: 'The template, named as in SAM.' },
        { flag: '-b, --build-dir <directory>', help: 'Directory for the results.', default: '.aws-sam/build' },
        PARAMETER_OVERRIDES,
        { flag: '--no-cached', help: 'Build again what has not changed.' },
        JSON_FLAG,
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['Build everything that changed', 'lamella build'],
      ['Build one function', 'lamella build template.yaml Hello'],
      ['Let SAM deploy what was built', 'lamella build && sam deploy --guided'],
    ],
    load: () => import('./commands/build.ts'),
  },
  {
    name: 'package',
    group: 'Build packages and layers',
    summary: 'Build the zip file of a function, and bundle TypeScript into JavaScript',
    args: { '[directory]': 'Directory of the function. (default: the current directory)' },
    options: [
      [
        { flag: '-o, --output <file>', help: 'Zip file to write.', default: 'function.zip' },
        {
          flag: '--handler <list>',
          help: 'Handlers to bundle, separated by commas, for example src/hello.handler.',
          default: 'the first file with a common name, such as index.ts',
        },
        { flag: '--no-bundle', help: 'Keep files and packages separate. Only types are removed.' },
        { flag: '--external <list>', help: 'Packages to exclude from the bundle, separated by commas.' },
        { flag: '--minify', help: 'Minify the code.' },
        { flag: '--no-source-map', help: 'Do not write source maps. Stack traces then refer to the generated code.' },
        {
          flag: '--format <format>',
          choices: ['esm', 'cjs'],
          help: 'Module format of the bundle.',
          default: 'as package.json says',
        },
        { flag: '--target <target>', help: 'Oldest version of Node.js that must run the code.', default: 'node20' },
        JSON_FLAG,
      ],
    ],
    examples: [
      ['Package this directory, with a TypeScript handler as one bundle', 'lamella package . -o function.zip'],
      ['Bundle and minify one handler', 'lamella package . --handler src/hello.handler --minify'],
      ['Keep all files separate', 'lamella package . --no-bundle'],
    ],
    load: () => import('./commands/package.ts'),
  },
  {
    name: 'layer build php',
    group: 'Build packages and layers',
    summary: 'Build a runtime layer with PHP and extensions',
    options: [
      [
        { flag: '--version <version>', help: 'PHP version.', default: '8.4' },
        {
          flag: '--variant <variant>',
          choices: ['lean', 'http', 'full'],
          help: 'lean: for functions. http: adds what web applications need. full: adds what Bref has.',
          default: 'lean',
        },
        ...PHP_LIBRARY_FLAGS,
        {
          flag: '--extensions <list>',
          help: "Extensions, separated by commas, instead of the variant's. +NAME: added to them. auto: those that composer.json requires.",
        },
        { flag: '--project <directory>', help: 'Directory of that composer.json.', default: 'the current directory' },
        { flag: '--source <archive>', help: 'Compile this php-X.Y.Z.tar.xz instead of downloading PHP.' },
        {
          flag: '--configure <options>',
          help: 'Options for PHP\'s configure script, as one argument: "--with-curl --with-zlib".',
        },
        { flag: '--in <rootfs>', help: 'Compile in the root file system of another Linux, with its compiler.' },
        { flag: '--bootstrap <file>', help: "Your own bootstrap, instead of Lamella's PHP runtime." },
        { flag: '-o, --output <file>', help: 'Zip file to write.', default: 'php.zip' },
        JSON_FLAG,
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['Build a small layer that starts on any Linux', 'lamella layer build php --version 8.4 -o php.zip'],
      ['Build the smallest layer, for AWS only', 'lamella layer build php --base al2023 -o php.zip'],
      ['Choose the extensions', 'lamella layer build php --extensions curl,mbstring -o php.zip'],
      ['Add an extension', 'lamella layer build php --extensions +mbstring -o php.zip'],
      ['Add the extensions of your project and redis', 'lamella layer build php --extensions auto,redis -o php.zip'],
      ['Build for WordPress and other web applications', 'lamella layer build php --variant http -o php.zip'],
      [
        'Compile PHP from source',
        'lamella layer build php --source php-8.4.14.tar.xz --configure "--with-openssl --with-curl"',
      ],
      ['Use your own runtime', 'lamella layer build php --bootstrap ./bootstrap -o runtime.zip'],
    ],
    load: () => import('./commands/layer-build-php.ts'),
  },
  {
    name: 'layer build php-extension',
    group: 'Build packages and layers',
    summary: 'Build a layer with PHP extensions, to add to a PHP layer',
    args: { '<extensions>': 'Names of extensions, separated by commas.' },
    options: [
      [
        { flag: '--version <version>', help: 'PHP version of the runtime layer.', default: '8.4' },
        { ...RUNTIME_VARIANT, help: 'Variant of the runtime layer. Files that it contains are left out.' },
        ...PHP_LIBRARY_FLAGS,
        { flag: '-o, --output <file>', help: 'Zip file to write.', default: 'php-NAMES.zip' },
        JSON_FLAG,
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['Build a layer with intl and its 30 MB of data', 'lamella layer build php-extension intl -o intl.zip'],
      ['Build php-redis-apcu.zip with two extensions', 'lamella layer build php-extension redis,apcu --version 8.3'],
    ],
    load: () => import('./commands/layer-build-php-extension.ts'),
  },
  {
    name: 'layer build composer',
    group: 'Build packages and layers',
    summary: 'Build a vendor layer with the Composer packages of a project',
    args: { '<project>': 'Directory that contains composer.json.' },
    options: [
      [
        { flag: '--version <version>', help: 'PHP version of the runtime layer.', default: '8.4' },
        RUNTIME_VARIANT,
        {
          flag: '--extensions <list>',
          help: 'Extensions of the runtime layer. Composer chooses matching packages. auto: those that the project requires.',
        },
        { flag: '-o, --output <file>', help: 'Zip file to write.', default: 'vendor.zip' },
        JSON_FLAG,
      ],
      BUILD_OPTIONS,
    ],
    examples: [['Package the vendor directory of this project', 'lamella layer build composer . -o vendor.zip']],
    load: () => import('./commands/layer-build-composer.ts'),
  },
  {
    name: 'layer build opcache',
    group: 'Build packages and layers',
    summary: "Build a layer with a function's PHP code, compiled in advance (PHP 8.5)",
    args: { '[directory]': 'Directory of the function. (default: the current directory)' },
    options: [
      [
        { flag: '--version <version>', help: 'PHP version of the runtime layer.', default: '8.5' },
        RUNTIME_VARIANT,
        { flag: '--extensions <list>', help: 'Extensions of the runtime layer. auto: as for that layer.' },
        { flag: '--layers <list>', help: 'Zip files of layers whose vendor/ is compiled too, separated by commas.' },
        { flag: '-o, --output <file>', help: 'Zip file to write.', default: 'opcache.zip' },
        JSON_FLAG,
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['Compile the code of this directory', 'lamella layer build opcache . -o opcache.zip'],
      ['Compile its vendor layer too', 'lamella layer build opcache . --layers vendor.zip'],
    ],
    load: () => import('./commands/layer-build-opcache.ts'),
  },
  {
    name: 'layer build node',
    group: 'Build packages and layers',
    summary: 'Build a runtime layer with Node.js, for TypeScript and JavaScript handlers',
    options: [
      [
        { flag: '--version <version>', help: 'Node.js version: 20, 22 or 24.', default: '22' },
        {
          flag: '--architecture <architecture>',
          choices: ['x86_64', 'arm64'],
          help: 'Architecture of the functions.',
          default: 'x86_64',
        },
        { flag: '--bootstrap <file>', help: "Your own bootstrap, instead of Lamella's Node.js runtime." },
        { flag: '-o, --output <file>', help: 'Zip file to write.', default: 'node.zip' },
        JSON_FLAG,
      ],
      BUILD_OPTIONS,
    ],
    examples: [
      ['Build a layer with Node.js 22, which runs TypeScript directly', 'lamella layer build node -o node.zip'],
      ['Build for Graviton', 'lamella layer build node --version 24 --architecture arm64 -o node.zip'],
    ],
    load: () => import('./commands/layer-build-node.ts'),
  },
  {
    name: 'layer inspect',
    group: 'Build packages and layers',
    summary: 'Show the contents of a layer, and missing libraries',
    args: { '<zip>': 'Zip file of the layer.' },
    options: [[{ flag: '--all', help: 'List every file, not only the largest.' }, JSON_FLAG]],
    examples: [
      ['Show sizes, extensions and missing libraries', 'lamella layer inspect php.zip'],
      ['Print everything as JSON', 'lamella layer inspect php.zip --json'],
    ],
    load: () => import('./commands/layer-inspect.ts'),
  },
  {
    name: 'layer diff',
    group: 'Build packages and layers',
    summary: 'Show the differences between two layers',
    args: { '<before>': 'Zip file of a layer.', '<after>': 'Zip file of another layer.' },
    options: [[JSON_FLAG]],
    examples: [['Compare files, sizes and extensions', 'lamella layer diff php-old.zip php.zip']],
    load: () => import('./commands/layer-diff.ts'),
  },
  {
    name: 'validate',
    group: 'Work with templates',
    summary: 'Check a SAM or CloudFormation template, and show every problem with its place',
    args: { '[file]': 'The template; - is standard input. (default: template.yaml, template.yml or template.json)' },
    options: [...TEMPLATE_OPTIONS, [JSON_FLAG]],
    examples: [
      ['Check the template of this directory', 'lamella validate'],
      ['Check it with the values that a stack would get', `lamella validate app.yaml --parameters '{"Stage":"prod"}'`],
      ['Print the problems as JSON', 'lamella validate template.yaml --json'],
    ],
    load: () => import('./commands/validate.ts'),
  },
  {
    name: 'template transform',
    group: 'Work with templates',
    summary: 'Print what the SAM transform makes of a template, as JSON',
    args: { '<file>': 'The template; - is standard input.' },
    options: [...TEMPLATE_OPTIONS],
    examples: [
      ['Print the resources that AWS would create', 'lamella template transform template.yaml'],
      [
        'Choose the region and the values of parameters',
        `lamella template transform template.yaml --region eu-west-1 --parameters '{"Stage":"prod"}'`,
      ],
    ],
    load: () => import('./commands/template-transform.ts'),
  },
  {
    name: 'doctor',
    group: 'Check this machine',
    summary: 'Check whether this machine can run functions, and show what a running service uses',
    options: [[JSON_FLAG], { endpointUrl: CLIENT_OPTIONS.endpointUrl }],
    examples: [
      ['Show each check and, if it fails, the command that fixes it', 'lamella doctor'],
      ['Print the checks as JSON', 'lamella doctor --json'],
    ],
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'version',
    group: 'Check this machine',
    summary: 'Print the versions of Lamella and Node.js',
    options: [[JSON_FLAG]],
    examples: [['Print them for a bug report', 'lamella version']],
    load: () => import('./commands/version.ts'),
  },
  {
    name: 'completion',
    group: 'Check this machine',
    summary: 'Print a script that completes commands and options in a shell',
    args: { '<shell>': 'bash, zsh or fish.' },
    options: [],
    examples: [
      ['Complete in this bash', 'eval "$(lamella completion bash)"'],
      ['Complete in every zsh', `echo 'eval "$(lamella completion zsh)"' >> ~/.zshrc`],
      ['Complete in every fish', 'lamella completion fish > ~/.config/fish/completions/lamella.fish'],
    ],
    load: async () => {
      const { createCompletion } = await import('./commands/completion.ts');
      return { run: createCompletion(COMMANDS, PARENT_COMMANDS) };
    },
  },
  {
    name: 'cache clean',
    group: 'Check this machine',
    summary: 'Remove the downloads of layer builds',
    options: [[{ flag: '--dry-run', help: 'Print what would be removed.' }, JSON_FLAG], BUILD_OPTIONS],
    examples: [['Show the size of the cache', 'lamella cache clean --dry-run']],
    load: () => import('./commands/cache-clean.ts'),
  },
];

/** The error for a command, at any level, that another one is near. Commander suggests only commands without others below. */
function unknownCommand(argv: readonly string[]): string | undefined {
  const names = [...COMMANDS.map(({ name }) => name), ...Object.keys(PARENT_COMMANDS)];
  let path = '';
  for (const word of argv[0] === 'help' ? argv.slice(1) : argv) {
    const below = names.filter((name) => name.startsWith(path) && !name.slice(path.length).includes(' '));
    const known = below.map((name) => name.slice(path.length));
    if (word.startsWith('-') || known.length === 0) return undefined;
    if (!known.includes(word)) {
      const nearest = nearestOf(word, known);
      const at = path === '' ? '' : ` ${path.trimEnd()}`;
      const hint = `(Did you mean ${nearest}?)\nRun \`lamella${at} --help\` to see all commands.`;
      return nearest === undefined ? undefined : `error: unknown command '${word}'\n${hint}`;
    }
    path = `${path}${word} `;
  }
  return undefined;
}

/** Runs a command line (without node and script) and resolves to the exit code. Rejects only for bugs. */
export async function main(argv: readonly string[]): Promise<number> {
  ignoreClosedPipes();
  let exitCode = 0;
  const program = new Command('lamella')
    .description('Run AWS Lambda functions, custom runtimes and layers on this machine, without Docker')
    .usage('<command> [options]')
    .version(packageVersion(), '--version', 'Print the version')
    .helpOption('-h, --help', 'Print this help')
    .helpCommand(false)
    .showHelpAfterError('Run `lamella --help` to see all commands.')
    .configureHelp(HELP_CONFIGURATION)
    // Before a command, `--version` prints Lamella's version. `layer build php` has its own option of this name.
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `\nExamples:\n${renderExamples([
        ['Check this machine', 'lamella doctor'],
        ['Start the service', 'lamella start'],
        ['Invoke a function', `lamella invoke hello -d '{"name":"World"}'`],
      ])}\n\nRun \`lamella <command> --help\` for the options and examples of a command.
Options can be set in samconfig.toml too (--config-file, --config-env): see docs/options.md.`,
    );
  const allOptions = new Set(COMMANDS.flatMap(optionNamesOf));
  const done = (code: number) => {
    exitCode = code;
  };
  for (const row of COMMANDS) addCommand(program, row, { parents: PARENT_COMMANDS, allOptions, done });
  program.hook('preAction', () => {
    for (const reason of findUnknownVariables()) printWarning(reason);
  });
  try {
    // `lamella help layer build php` is `lamella layer build php --help`.
    const [first, ...others] = argv;
    const unknown = unknownCommand(argv);
    if (unknown !== undefined) {
      printStatus(unknown);
      return 2;
    }
    await program.parseAsync(first === 'help' ? [...others, '--help'] : argv, { from: 'user' });
    return exitCode;
  } catch (failure) {
    return report(failure);
  }
}

/** Prints an error and returns its exit code. Throws it again if it is a bug. */
function report(failure: unknown): number {
  // commander has already printed its own message.
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : 2;
  if (failure instanceof OperatorError) {
    printError(failure.message, failure.remedy);
    return failure.exitCode;
  }
  if (failure instanceof Interrupted) {
    printStatus(`Interrupted: ${failure.message}.`);
    return failure.exitCode;
  }
  throw failure;
}
