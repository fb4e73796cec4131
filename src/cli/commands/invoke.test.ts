import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  CreateFunctionCommand,
  LambdaClient,
  PublishVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedService } from '../../../test/support/built-cli.ts';
import { buildIfStale, lamella, startLamella } from '../../../test/support/built-cli.ts';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';
import type { ZipEntry } from '../../packaging/zip-writer.ts';
import { writeZip } from '../../packaging/zip-writer.ts';

const ECHOES = resolve(import.meta.dirname, '../../../test/fixtures/functions/echoes-in-bash');
const EXITS = '#!/bin/sh\necho about to fail >&2\nexit 3\n';

let directory: string;
let service: StartedService;

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-invoke-'));
  service = await startLamella(['--ephemeral']);
  await createFunction('echoes', await entriesOfDirectory(ECHOES));
  await createFunction('exits', [
    { path: 'bootstrap', mode: 0o755, content: { kind: 'bytes', bytes: Buffer.from(EXITS) } },
  ]);
}, 120_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('lamella invoke', () => {
  it('prints only the payload to standard output, and the log to standard error', async () => {
    const { code, stdout, stderr } = await invoke('echoes', '-d', '{"name": "Wörld"}');
    expect(stdout.toString()).toBe('{"name": "Wörld"}');
    expect(stderr).toMatch(
      /^START RequestId: [0-9a-f-]{36} Version: \$LATEST\nEND RequestId: .*\nREPORT RequestId: .*\n$/,
    );
    expect(code).toBe(0);
  });

  it('prints no log with --log-type None', async () => {
    const { stdout, stderr } = await invoke('echoes', '-d', '[1]', '--log-type', 'None');
    expect([stdout.toString(), stderr]).toEqual(['[1]', '']);
  });

  it('reads the event from a file or standard input', async () => {
    const file = join(directory, 'event.json');
    writeFileSync(file, '{"from":"a file"}');
    expect((await invoke('echoes', '-e', file)).stdout.toString()).toBe('{"from":"a file"}');
    const input = `"${'x'.repeat(500_000)}"`;
    const endpoint = ['--endpoint-url', service.url];
    expect((await lamella(['invoke', 'echoes', '-e', '-', ...endpoint], { input })).stdout.toString()).toBe(input);
  });

  it('sends an empty payload without an event, and the function receives {}', async () => {
    expect((await invoke('echoes')).stdout.toString()).toBe('{}');
  });

  it('exits with code 1 if the function fails, with the error on standard output', async () => {
    const { code, stdout, stderr } = await invoke('exits');
    expect(JSON.parse(stdout.toString())).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(stderr).toContain('about to fail');
    expect(stderr).toContain('The function failed (Unhandled).\n');
    expect(code).toBe(1);
  });

  it('exits with code 5 if the service responds with an AWS error, and prints what to do', async () => {
    const { code, stdout, stderr } = await invoke('missing');
    expect(stdout.toString()).toBe('');
    expect(stderr).toContain(
      'error: An error occurred (ResourceNotFoundException) when calling the Invoke operation: ' +
        'Function not found: arn:aws:lambda:us-east-1:123456789012:function:missing:$LATEST\n',
    );
    expect(stderr).toMatch(/\nCheck the name, .*\n$/);
    expect(code).toBe(5);
  });

  it('prints the error for an event that is not JSON', async () => {
    const { code, stderr } = await invoke('echoes', '-d', '{nope');
    expect(stderr).toContain('(InvalidRequestContentException)');
    expect(code).toBe(5);
  });

  it('invokes a version by qualifier, by name and by ARN', async () => {
    await client().send(new PublishVersionCommand({ FunctionName: 'echoes' }));
    for (const args of [
      ['echoes', '--qualifier', '1'],
      ['echoes:1'],
      ['arn:aws:lambda:us-east-1:123456789012:function:echoes:1'],
    ]) {
      const { code, stderr } = await invoke(...args);
      expect(stderr).toContain('Version: 1\n');
      expect(code).toBe(0);
    }
  });

  it('invokes the function of the given region', async () => {
    const { stderr } = await invoke('echoes', '--region', 'eu-central-1');
    expect(stderr).toContain('Function not found: arn:aws:lambda:eu-central-1:123456789012:function:echoes:$LATEST');
  });
});

function invoke(...args: string[]) {
  return lamella(['invoke', ...args, '--endpoint-url', service.url]);
}

function client(): LambdaClient {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return new LambdaClient({ endpoint: service.url, region: 'us-east-1', credentials });
}

async function createFunction(name: string, entries: readonly ZipEntry[]): Promise<void> {
  const zip = join(directory, `${name}.zip`);
  await writeZip(zip, entries);
  await client().send(
    new CreateFunctionCommand({
      FunctionName: name,
      Handler: 'unused',
      Runtime: 'provided.al2023',
      Role: 'arn:aws:iam::123456789012:role/any',
      Code: { ZipFile: readFileSync(zip) },
    }),
  );
  await waitUntilFunctionActiveV2(
    { client: client(), maxWaitTime: 20, minDelay: 0.02, maxDelay: 0.2 },
    { FunctionName: name },
  );
}
