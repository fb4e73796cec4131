/**
 * `npm run demo`: the walkthrough, end to end and in order, against its own service, through the AWS SDK, with the equivalent
 * `aws` command above each step. First with the user's own bootstrap and Guzzle, then with Lamella's PHP runtime. It checks
 * what it prints and exits with 1 if anything differs. The files that it leaves (archives, trust policy, commands.sh) work on
 * AWS itself.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  CreateFunctionCommand,
  InvokeCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { OPERATOR_ERRORS } from '../src/operator-error.ts';
import { entriesOfDirectory } from '../src/packaging/directory-entries.ts';
import { writeZip } from '../src/packaging/zip-writer.ts';

const ROOT = process.env.LAMELLA_ROOT ?? resolve(import.meta.dirname, '..');
/** `npm run demo -- [--reuse-layers] [output directory] [walkthrough directory]` */
const ARGUMENTS = process.argv.slice(2);
const [OUTPUT, EXAMPLE = join(ROOT, 'examples', 'walkthrough')] = ARGUMENTS.filter(
  (word) => !word.startsWith('--'),
).map((path) => resolve(path));
/** Takes the archives of layers that an earlier demo left in the output directory. */
const REUSES_LAYERS = ARGUMENTS.includes('--reuse-layers');
const LAMELLA = join(ROOT, 'bin', 'lamella');
const REGION = 'us-east-1';
const RUNTIME = 'provided.al2023';
const PHP_VERSION = '8.4';
/** The PHP extensions of the walkthrough. */
const EXTENSIONS = 'openssl,curl,zlib';
const EVENT = '{"name": "World"}';
/** The walkthrough's functions, and the bytes that each must return. */
const FUNCTIONS = { hello: 'Hello, World!', goodbye: 'Goodbye, World!' } as const;
const WARM_INVOCATIONS = 20;

type FunctionName = keyof typeof FUNCTIONS;
type Report = {
  readonly durationMs: number;
  readonly billedMs: number;
  readonly initMs: number | undefined;
  readonly memoryMb: number;
};
type Figures = { readonly cold: Report; readonly warm: Report; readonly warmMedianMs: number };
type Pass = { readonly title: string; readonly figures: ReadonlyMap<FunctionName, Figures> };
type Clients = { readonly lambda: LambdaClient; readonly iam: IAMClient };

const failures: string[] = [];
const output = OUTPUT ?? mkdtempSync(join(tmpdir(), 'lamella-walkthrough-'));
mkdirSync(output, { recursive: true });

async function main(): Promise<number> {
  heading('1. Four archives');
  const hasVendor = await buildArchives();
  heading('2. A Lambda service');
  const service = await startService();
  try {
    const settings = {
      endpoint: service.url,
      region: REGION,
      credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
    };
    const clients: Clients = { lambda: new LambdaClient(settings), iam: new IAMClient(settings) };
    heading('3. A role');
    const role = await createRole(clients);
    const passes: Pass[] = [];
    if (hasVendor) {
      passes.push(
        await walk(clients, role, {
          title: 'bootstrap + Guzzle',
          heading: "4. The walkthrough unchanged: the user's own bootstrap, with Guzzle",
          layers: { 'php-example-runtime': 'runtime.zip', 'php-example-vendor': 'vendor.zip' },
          prefix: 'php-example',
        }),
      );
    }
    passes.push(
      await walk(clients, role, {
        title: "Lamella's runtime",
        heading: "5. The same functions with Lamella's PHP runtime",
        layers: { 'php-lamella-runtime': 'php.zip' },
        prefix: 'php-lamella',
      }),
    );
    heading('6. Side by side');
    print(sideBySide(passes));
  } finally {
    check('the service exits on SIGTERM', await service.stop(), 0);
  }
  return conclude(hasVendor);
}

/** Builds the archives. Returns false if Guzzle for the vendor layer is not available. */
async function buildArchives(): Promise<boolean> {
  const isReused = (archive: string) => REUSES_LAYERS && existsSync(inOutput(archive));
  const php = ['layer', 'build', 'php', '--version', PHP_VERSION, '--extensions', EXTENSIONS];
  if (!isReused('runtime.zip')) {
    lamella([...php, '--bootstrap', join(EXAMPLE, 'bootstrap'), '-o', inOutput('runtime.zip')]);
  }
  if (!isReused('php.zip')) lamella([...php, '-o', inOutput('php.zip')]);
  for (const name of Object.keys(FUNCTIONS)) {
    const source = join(EXAMPLE, 'src', `${name}.php`);
    await writeZip(inOutput(`${name}.zip`), [
      { path: `src/${name}.php`, mode: 0o644, content: { kind: 'file', source } },
    ]);
  }
  const hasVendor = isReused('vendor.zip') || (await buildVendor());
  copyFileSync(join(EXAMPLE, 'trust-policy.json'), inOutput('trust-policy.json'));
  writeFileSync(inOutput('commands.sh'), commandsForAws());
  chmodSync(inOutput('commands.sh'), 0o755);
  const made = ['runtime.zip', ...(hasVendor ? ['vendor.zip'] : []), 'hello.zip', 'goodbye.zip'];
  for (const name of made) print(`  ${name.padEnd(12)} ${megabytes(readFileSync(inOutput(name)).length)}`);
  return hasVendor;
}

/** Builds `vendor.zip`: Guzzle through Composer, or else from Debian's packages. */
async function buildVendor(): Promise<boolean> {
  const php = ['--version', PHP_VERSION, '--extensions', EXTENSIONS];
  const composer = ['layer', 'build', 'composer', EXAMPLE, ...php, '-o', inOutput('vendor.zip')];
  command(`lamella ${composer.map(shorten).join(' ')}`);
  const built = spawnSync(LAMELLA, composer, { encoding: 'utf8' });
  if (built.status === 0) return true;
  // Every other failure is a defect, and must not be hidden by the second source.
  if (!built.stderr.includes(OPERATOR_ERRORS['composer-offline'].message.split('{', 1)[0] ?? '')) {
    throw new Error(`The vendor layer could not be built:\n${built.stderr}`);
  }
  print(`  Composer cannot reach Packagist: ${built.stderr.match(/^error: (.*)$/m)?.[1]}`);
  const library = debianLibrary();
  if (library === undefined) {
    print("  Debian's php-guzzlehttp-guzzle is not installed either: this run skips the user's own runtime.");
    return false;
  }
  print("  Using Guzzle from Debian's php-guzzlehttp-guzzle instead.");
  const vendor = [];
  for (const name of DEBIAN_LIBRARIES) {
    if (existsSync(join(library, name)))
      vendor.push(...(await entriesOfDirectory(join(library, name), { prefix: `vendor/${name}/` })));
  }
  const autoload = { kind: 'bytes', bytes: Buffer.from(DEBIAN_AUTOLOAD) } as const;
  await writeZip(inOutput('vendor.zip'), [...vendor, { path: 'vendor/autoload.php', mode: 0o644, content: autoload }]);
  return true;
}

/** The parts of Debian's Guzzle below /usr/share/php. */
const DEBIAN_LIBRARIES = ['GuzzleHttp', 'Psr', 'Symfony', 'getallheaders'];
/** Debian's packages find each other by the include path. Their Guzzle is older than PHP 8.4 and triggers its deprecations. */
const DEBIAN_AUTOLOAD = `<?php
error_reporting(E_ALL & ~E_DEPRECATED);
set_include_path(__DIR__ . PATH_SEPARATOR . get_include_path());
require_once 'GuzzleHttp/autoload.php';
`;

/** The directory of Debian's PHP libraries. Installs Guzzle if this user may. */
function debianLibrary(): string | undefined {
  const directory = '/usr/share/php';
  const isThere = () => existsSync(join(directory, 'GuzzleHttp', 'autoload.php'));
  if (!isThere() && process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { env });
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'php-guzzlehttp-guzzle'], { env });
  }
  return isThere() ? directory : undefined;
}

/** Starts a service on a free port and waits until it reports that it accepts connections. */
async function startService(): Promise<{ readonly url: string; stop(): Promise<number | null> }> {
  const args = ['start', '--port', '0', '--ephemeral', '--region', REGION, '--json'];
  command(`lamella ${args.join(' ')}`);
  const child = spawn(LAMELLA, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((settle) => child.once('exit', settle));
  const announced = new Promise<string>((settle) => createInterface({ input: child.stdout }).once('line', settle));
  const line = await Promise.race([announced, ended]);
  if (typeof line !== 'string') throw new Error(`The service ended before it was ready, with exit code ${line}.`);
  const { lambda } = JSON.parse(line) as { lambda: string };
  print(`  ${line}`);
  return {
    url: lambda,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function createRole({ iam }: Clients): Promise<string> {
  command(CREATE_ROLE.join(' '));
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName: 'LambdaPhpExample',
      Path: '/service-role/',
      AssumeRolePolicyDocument: readFileSync(inOutput('trust-policy.json'), 'utf8'),
    }),
  );
  const arn = Role?.Arn ?? '';
  print(`  ${arn}`);
  check('the role has its ARN', /^arn:aws:iam::\d{12}:role\/service-role\/LambdaPhpExample$/.test(arn), true);
  return arn;
}

/** Layers, functions, invocations: the walkthrough's steps 3 to 5 with one set of layers. */
async function walk(
  clients: Clients,
  role: string,
  plan: {
    readonly title: string;
    readonly heading: string;
    readonly layers: Readonly<Record<string, string>>;
    readonly prefix: string;
  },
): Promise<Pass> {
  heading(plan.heading);
  const layers: string[] = [];
  for (const [name, archive] of Object.entries(plan.layers)) layers.push(await publishLayer(clients, name, archive));
  for (const name of Object.keys(FUNCTIONS) as FunctionName[])
    await createFunction(clients, plan.prefix, name, role, layers);
  const figures = new Map<FunctionName, Figures>();
  for (const name of Object.keys(FUNCTIONS) as FunctionName[]) {
    const cold = await invoke(clients, plan.prefix, name, 'cold');
    const warm = await invoke(clients, plan.prefix, name, 'warm');
    const durations = [warm.durationMs];
    while (durations.length < WARM_INVOCATIONS) {
      durations.push((await invoke(clients, plan.prefix, name, 'again')).durationMs);
    }
    figures.set(name, { cold, warm, warmMedianMs: median(durations) });
  }
  return { title: plan.title, figures };
}

async function publishLayer({ lambda }: Clients, name: string, archive: string): Promise<string> {
  command(publishLayerWords(name, archive).join(' '));
  const { LayerVersionArn = '', Version } = await lambda.send(
    new PublishLayerVersionCommand({ LayerName: name, Content: { ZipFile: readFileSync(inOutput(archive)) } }),
  );
  print(`  ${LayerVersionArn}`);
  check(`${name} is published as version 1`, Version, 1);
  check(
    `${name} has its ARN`,
    new RegExp(`^arn:aws:lambda:${REGION}:\\d{12}:layer:${name}:1$`).test(LayerVersionArn),
    true,
  );
  return LayerVersionArn;
}

async function createFunction(
  { lambda }: Clients,
  prefix: string,
  name: FunctionName,
  role: string,
  layers: readonly string[],
): Promise<void> {
  const FunctionName = `${prefix}-${name}`;
  command(createFunctionWords(FunctionName, name, role, layers).join(' '));
  const created = await lambda.send(
    new CreateFunctionCommand({
      FunctionName,
      Handler: name,
      Code: { ZipFile: readFileSync(inOutput(`${name}.zip`)) },
      Runtime: RUNTIME,
      Role: role,
      Layers: [...layers],
    }),
  );
  print(`  ${created.FunctionArn}`);
  check(
    `${FunctionName} has its layers in order`,
    created.Layers?.map((layer) => layer.Arn).join(' '),
    layers.join(' '),
  );
  const active = await waitUntilFunctionActiveV2(
    { client: lambda, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.2 },
    { FunctionName },
  );
  check(`${FunctionName} becomes active`, active.state, 'SUCCESS');
}

/** Invokes once and checks the response, the log tail and the output file. Prints them unless `kind` is `again`. */
async function invoke(
  { lambda }: Clients,
  prefix: string,
  name: FunctionName,
  kind: 'cold' | 'warm' | 'again',
): Promise<Report> {
  const FunctionName = `${prefix}-${name}`;
  const file = `${name}-output.txt`;
  if (kind !== 'again') command(invokeWords(FunctionName, file).join(' '));
  const response = await lambda.send(new InvokeCommand({ FunctionName, LogType: 'Tail', Payload: Buffer.from(EVENT) }));
  const payload = Buffer.from(response.Payload ?? []);
  writeFileSync(inOutput(file), payload);
  const log = Buffer.from(response.LogResult ?? '', 'base64').toString();
  const what = `${FunctionName} (${kind})`;
  if (kind !== 'again') {
    print(indent(log));
    print(`  ${file}: ${readFileSync(inOutput(file), 'utf8')}`);
  }
  check(`${what} returns status 200`, response.StatusCode, 200);
  check(`${what} does not fail`, response.FunctionError, undefined);
  check(`${what} writes to ${file}`, readFileSync(inOutput(file), 'utf8'), FUNCTIONS[name]);
  return readReport(what, log, response.$metadata.requestId ?? '', kind === 'cold');
}

const REPORT =
  /^REPORT RequestId: (\S+)\tDuration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB\tMax Memory Used: (\d+) MB\t(?:Init Duration: (\d+\.\d\d) ms\t)?$/;

/** Reads the figures of the log tail and checks every part of it that Lambda defines. */
function readReport(what: string, log: string, requestId: string, isCold: boolean): Report {
  const lines = log.split('\n');
  check(
    `${what} logs START first`,
    lines.find((line) => /^(START|END|REPORT) /.test(line)),
    `START RequestId: ${requestId} Version: $LATEST`,
  );
  check(`${what} logs END`, lines.includes(`END RequestId: ${requestId}`), true);
  const match = REPORT.exec(lines.at(-2) ?? '');
  check(`${what} logs REPORT last`, match?.[1], requestId);
  const [durationMs = 0, billedMs = 0, memorySize = 0, memoryMb = 0] = (match?.slice(2, 6) ?? []).map(Number);
  const initMs = match?.[6] === undefined ? undefined : Number(match[6]);
  check(`${what} reports ${isCold ? 'an' : 'no'} Init Duration`, initMs !== undefined, isCold);
  // Both figures are rounded before they are printed. Billing uses the exact ones.
  const exact = durationMs + (initMs ?? 0);
  check(`${what} is billed for its duration, rounded up`, Math.abs(billedMs - exact - 0.5) <= 0.51, true);
  check(`${what} has the default memory`, memorySize, 128);
  check(`${what} used memory within its limit`, memoryMb > 0 && memoryMb <= 128, true);
  return { durationMs, billedMs, initMs, memoryMb };
}

function sideBySide(passes: readonly Pass[]): string {
  const rows = [['', ...passes.map((pass) => pass.title)]];
  const row = (label: string, cell: (figures: Figures) => string, name: FunctionName) =>
    rows.push([`${name}: ${label}`, ...passes.map((pass) => cell(pass.figures.get(name) as Figures))]);
  for (const name of Object.keys(FUNCTIONS) as FunctionName[]) {
    row('Init Duration', ({ cold }) => `${cold.initMs?.toFixed(2)} ms`, name);
    row('Duration, cold', ({ cold }) => `${cold.durationMs.toFixed(2)} ms`, name);
    row(`Duration, warm (median of ${WARM_INVOCATIONS})`, ({ warmMedianMs }) => `${warmMedianMs.toFixed(2)} ms`, name);
    row('Max Memory Used', ({ warm }) => `${warm.memoryMb} MB`, name);
  }
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  return rows
    .map((cells) =>
      cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('   '),
    )
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}

function conclude(hasVendor: boolean): number {
  heading('7. Output');
  print(`  ${output}`);
  print(
    hasVendor
      ? '  Run commands.sh there to do the same on AWS, with your credentials.'
      : '  commands.sh there needs vendor.zip, which is missing.',
  );
  if (failures.length === 0) {
    print('\nEverything is as expected.');
    return 0;
  }
  print(`\n${failures.length} checks failed:`);
  for (const failure of failures) print(`  - ${failure}`);
  return 1;
}

// The commands, once, for the lines printed here and for commands.sh.

const CREATE_ROLE = [
  'aws iam create-role --role-name LambdaPhpExample --path /service-role/',
  '--assume-role-policy-document file://trust-policy.json',
];

function publishLayerWords(name: string, archive: string): string[] {
  return [`aws lambda publish-layer-version --layer-name ${name}`, `--zip-file fileb://${archive} --region ${REGION}`];
}

function createFunctionWords(name: string, handler: FunctionName, role: string, layers: readonly string[]): string[] {
  return [
    `aws lambda create-function --function-name ${name} --handler ${handler}`,
    `--zip-file fileb://${handler}.zip --runtime ${RUNTIME} --role "${role}" --region ${REGION}`,
    `--layers ${layers.map((layer) => `"${layer}"`).join(' ')}`,
  ];
}

function invokeWords(name: string, file: string, format = ''): string[] {
  return [
    `aws lambda invoke --function-name ${name} --region ${REGION} --log-type Tail`,
    `--query LogResult --output text ${format}--payload '${EVENT}' ${file} | base64 --decode`,
  ];
}

/** The whole walkthrough as a script for the AWS CLI, version 1 or 2. */
function commandsForAws(): string {
  const lines = (words: readonly string[], indentation = '  ') => words.join(` \\\n${indentation}`);
  const names = Object.keys(FUNCTIONS) as FunctionName[];
  const layers = ['$runtime_arn', '$vendor_arn'];
  return `#!/usr/bin/env bash
# The walkthrough on AWS: a role, two layers and two functions, each invoked twice. Needs the AWS CLI with credentials that
# may create these. They stay until you delete them: the commands are at the end.
set -euo pipefail
cd "$(dirname "\${BASH_SOURCE[0]}")"

# Version 2 of the CLI expects the payload as base64 by default. Version 1 does not have the option.
format='--cli-binary-format raw-in-base64-out'
case "$(aws --version 2>&1)" in aws-cli/1.*) format= ;; esac

role_arn=$(${lines([...CREATE_ROLE, '--query Role.Arn --output text'])})

runtime_arn=$(${lines([...publishLayerWords('php-example-runtime', 'runtime.zip'), '--query LayerVersionArn --output text'])})

vendor_arn=$(${lines([...publishLayerWords('php-example-vendor', 'vendor.zip'), '--query LayerVersionArn --output text'])})

# A new role needs some seconds until Lambda can assume it: create-function is retried.
again() {
  for attempt in 1 2 3 4 5 6; do
    "$@" && return
    echo "attempt $attempt failed, retrying" >&2
    sleep 5
  done
  return 1
}
${names.map((name) => `\nagain ${lines(createFunctionWords(`php-example-${name}`, name, '$role_arn', layers))}\n\naws lambda wait function-active-v2 --function-name php-example-${name} --region ${REGION}\n`).join('')}
for round in cold warm; do
${names.map((name) => `  ${lines(invokeWords(`php-example-${name}`, `${name}-output.txt`, '$format '), '    ')}\n`).join('\n')}done

cat ${names.map((name) => `${name}-output.txt`).join(' ')}
echo

# To remove everything again:
${names.map((name) => `#   aws lambda delete-function --function-name php-example-${name} --region ${REGION}\n`).join('')}#   aws lambda delete-layer-version --layer-name php-example-runtime --version-number 1 --region ${REGION}
#   aws lambda delete-layer-version --layer-name php-example-vendor --version-number 1 --region ${REGION}
#   aws iam delete-role --role-name LambdaPhpExample
`;
}

function lamella(args: readonly string[]): void {
  command(`lamella ${args.map(shorten).join(' ')}`);
  const { status } = spawnSync(LAMELLA, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`lamella ${args.slice(0, 3).join(' ')} ended with exit code ${status}`);
}

/** A path relative to this repository or to the output directory. */
function shorten(word: string): string {
  if (word.startsWith(`${output}/`)) return relative(output, word);
  return word.startsWith(`${ROOT}/`) ? relative(ROOT, word) : word;
}

function check(what: string, found: unknown, expected: unknown): void {
  if (found === expected) return;
  const failure = `${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`;
  if (failures.includes(failure)) return;
  failures.push(failure);
  print(`  DIFFERS: ${failure}`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function inOutput(name: string): string {
  return join(output, name);
}

function heading(text: string): void {
  print(`\n${text}`);
}

function command(line: string): void {
  print(`\n$ ${line}`);
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ');
}

function megabytes(bytes: number): string {
  return bytes >= 1_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${bytes} bytes`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

// Last, because the constants above must be initialized.
process.exitCode = await main();
