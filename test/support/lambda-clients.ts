/**
 * The AWS SDK for JavaScript, boto3 and the AWS CLI, all unmodified, behind one interface, so that one test can run with each of
 * them. Inputs and outputs are those of the API model.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-lambda';
import { findAwsCli, pythonOf } from './aws-cli.ts';
import { startClientProgram } from './client-program.ts';

/** As in JSON, but archives are `Buffer`s and a `Payload` is text. */
export type Input = Readonly<Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
type Output = any;

export type CallingClient = {
  /** Rejects with a `ClientRefusal` when the service refuses. */
  call(operation: string, input: Input): Promise<Output>;
  /** All pages of a list, read by the client's own paginator, as one output. */
  pages(operation: string, input: Input, size: number): Promise<Output>;
  /** Waits with the client's own waiter, for example `FunctionActiveV2`. */
  wait(waiter: string, input: Input): Promise<void>;
  close(): void;
};

/** An error as the client reports it: its code and its message. */
export class ClientRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export const CALLING_CLIENTS: Readonly<Record<string, (url: string) => CallingClient>> = {
  'AWS SDK for JavaScript': sdkClient,
  boto3: boto3Client,
  'AWS CLI': cliClient,
};

type Command = new (input: Input) => Parameters<sdk.LambdaClient['send']>[0];
type Waiter = (settings: { client: sdk.LambdaClient; maxWaitTime: number }, input: Input) => Promise<unknown>;
type Paginator = (settings: { client: sdk.LambdaClient; pageSize: number }, input: Input) => AsyncIterable<Output>;

function sdkClient(url: string): CallingClient {
  const client = new sdk.LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  const members = sdk as unknown as Record<string, unknown>;
  return {
    async call(operation, input) {
      const SomeCommand = members[`${operation}Command`] as Command;
      try {
        const { $metadata, ...output }: Output = await client.send(new SomeCommand(input));
        return output.Payload ? { ...output, Payload: Buffer.from(output.Payload).toString() } : output;
      } catch (failure) {
        if (failure instanceof sdk.LambdaServiceException) throw new ClientRefusal(failure.name, failure.message);
        throw failure;
      }
    },
    async pages(operation, input, pageSize) {
      const paginate = members[`paginate${operation}`] as Paginator;
      const whole: Record<string, unknown[]> = {};
      for await (const page of paginate({ client, pageSize }, input)) {
        for (const [key, items] of Object.entries(page)) {
          if (Array.isArray(items)) whole[key] = [...(whole[key] ?? []), ...items];
        }
      }
      return whole;
    },
    async wait(waiter, input) {
      await (members[`waitUntil${waiter}`] as Waiter)({ client, maxWaitTime: 30 }, input);
    },
    close: () => client.destroy(),
  };
}

function boto3Client(url: string): CallingClient {
  const python = ['python3', '/usr/bin/python3'].find(hasBoto3);
  if (python === undefined) throw new Error('boto3 is not installed (apt-get install python3-boto3)');
  const program = startClient(python, ['boto3_client.py', url]);
  const ask = async (request: Input) => {
    const { output, refusal } = await program.ask(withBytes(request, ($bytes) => ({ $bytes })));
    if (refusal) throw new ClientRefusal(refusal[0], refusal[1]);
    return output;
  };
  return {
    call: (operation, input) => ask({ call: operation, input }),
    pages: (operation, input, size) => ask({ pages: operation, input, size }),
    wait: (waiter, input) => ask({ wait: waiter, input }),
    close: program.close,
  };
}

function cliClient(url: string): CallingClient {
  const path = findAwsCli();
  if (path === undefined) throw new Error('AWS CLI 2 is not on the PATH (apt-get install awscli)');
  const program = startClient(pythonOf(path), ['aws_cli.py', path]);
  const run = async (words: readonly string[], given: Input) => {
    const outfile = join(program.directory, 'outfile');
    const isInvoke = words[1] === 'invoke';
    // For `invoke`, which has a positional argument, the CLI requires options even if they are in the JSON.
    const input = isInvoke
      ? Object.entries(given).flatMap(([name, value]) => [`--${kebab(name)}`, wordOf(name, String(value))])
      : ['--cli-input-json', JSON.stringify(withBytes(given, (base64) => base64))];
    const all = [...words, '--endpoint-url', url, ...input, ...(isInvoke ? [outfile] : [])];
    const { code, stdout, stderr } = await program.ask(all);
    const refusal = /^\s*An error occurred \((\w+)\) when calling the \w+ operation(?: \(.*?\))?: (.*?)\s*$/s.exec(
      stderr,
    );
    if (refusal) throw new ClientRefusal(refusal[1] ?? '', refusal[2] ?? '');
    if (code !== 0) throw new Error(`aws ${words.join(' ')}: ${stderr}`);
    const output = stdout.trim() === '' ? {} : JSON.parse(stdout);
    return isInvoke ? { ...output, Payload: readFileSync(outfile, 'utf8') } : output;
  };
  return {
    call: (operation, input) => run(['lambda', kebab(operation)], input),
    pages: (operation, input, size) => run(['lambda', kebab(operation), '--page-size', String(size)], input),
    wait: (waiter, input) => run(['lambda', 'wait', kebab(waiter)], input),
    close: program.close,
  };
}

/** Starts a client with a temporary home directory, which `close` removes. */
function startClient(python: string, words: readonly [string, ...string[]]) {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-client-'));
  const program = startClientProgram(python, words, directory, {
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_DEFAULT_OUTPUT: 'json',
    AWS_PAGER: '',
    AWS_MAX_ATTEMPTS: '1',
  });
  return {
    directory,
    ask: program.ask,
    close() {
      program.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function hasBoto3(python: string): boolean {
  try {
    execFileSync(python, ['-c', 'import boto3'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The value with each `Buffer` in it replaced by `write(base64)`. */
function withBytes(value: unknown, write: (base64: string) => unknown): unknown {
  if (Buffer.isBuffer(value)) return write(value.toString('base64'));
  if (Array.isArray(value)) return value.map((item) => withBytes(item, write));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withBytes(item, write)]));
}

/** An option's value for the CLI, which takes bytes as base64. */
function wordOf(member: string, value: string): string {
  return member === 'Payload' ? Buffer.from(value).toString('base64') : value;
}

/** `FunctionActiveV2` -> `function-active-v2` */
function kebab(name: string): string {
  return name.replace(/(?<=.)([A-Z])/g, '-$1').toLowerCase();
}
