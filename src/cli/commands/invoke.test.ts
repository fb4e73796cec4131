import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import { buildIfStale, lamella, lamellaInTerminal, startLamella } from '../../../test/support/built-cli.ts';
import { shellRuntime } from '../../../test/support/function-zip.ts';
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

  it('rejects an event that is not JSON before it is sent, with the position and what to do', async () => {
    const { code, stderr } = await invoke('echoes', '-d', '{nope');
    expect(stderr).toMatch(
      /^error: The event of --data is not valid JSON\. Line 1, column 2: expected a name .*\n {2}\{nope\n {3}\^\nPut the event in single quotes/,
    );
    expect(code).toBe(2);
  });

  it('reads the event from a file with @, and from standard input with @-', async () => {
    const file = join(directory, 'at.json');
    writeFileSync(file, '{"at":1}');
    expect((await invoke('echoes', '-d', `@${file}`)).stdout.toString()).toBe('{"at":1}');
    expect((await invoke('echoes', '--payload', `file://${file}`)).stdout.toString()).toBe('{"at":1}');
    const args = ['invoke', 'echoes', '-d', '@-', '--endpoint-url', service.url];
    expect((await lamella(args, { input: '[2]' })).stdout.toString()).toBe('[2]');
  });

  it('prints the whole log, also when it is longer than the 4 KB of the response', async () => {
    const runtime = shellRuntime('seq 1 3000; respond 1');
    await createFunction('talks', [
      { path: 'bootstrap', mode: 0o755, content: { kind: 'bytes', bytes: Buffer.from(runtime) } },
    ]);
    const { stdout, stderr } = await invoke('talks');
    const lines = stderr.split('\n');
    expect(lines[0]).toMatch(/^START RequestId/);
    expect(lines.slice(1, 3001)).toEqual(Array.from({ length: 3000 }, (_, index) => String(index + 1)));
    expect(lines.slice(3001).map((line) => line.split(' ')[0])).toEqual(['END', 'REPORT', '']);
    expect(stdout.toString()).toBe('1');
  });

  it('exits with code 5 at the HTTP port or another web server, and prints the URL of the Lambda API', async () => {
    const route = await startLamella(['--ephemeral', '--route', 'ANY /{proxy+} -> missing']);
    const page = createServer((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hello</h1>');
    });
    const port = await new Promise<number>((settle) => {
      page.listen(0, '127.0.0.1', () => settle((page.address() as AddressInfo).port));
    });
    try {
      for (const [url, api] of [
        [service.http, service.url],
        [route.http, route.url],
        [`http://127.0.0.1:${port}`, undefined],
      ] as const) {
        const { code, stdout, stderr } = await lamella(['invoke', 'echoes', '--endpoint-url', url]);
        expect(stderr).toContain(`error: ${url} is not the URL of a Lambda API: the response (`);
        expect(stderr).toContain(api ? `--endpoint-url ${api}\n` : 'Set --endpoint-url to the URL');
        expect([stdout.toString(), code]).toEqual(['', 5]);
      }
    } finally {
      page.close();
      await route.stop();
    }
  });

  it('names the region that has the function, and a function of a similar name', async () => {
    const elsewhere = await invoke('echoes', '--region', 'ap-south-1');
    expect(elsewhere.stderr).toContain(
      '\nThe function echoes exists in us-east-1: lamella invoke echoes --region us-east-1\n',
    );
    expect(elsewhere.code).toBe(5);
    expect((await invoke('ehcoes')).stderr).toContain('\nDid you mean echoes? Run: lamella invoke echoes\n');
  });

  it('prints the error of a function once, with its trace, and the payload unchanged', async () => {
    const error =
      '{"errorType":"Error","errorMessage":"Call to undefined function mb_strlen()","stackTrace":["#0 /var/task/a.php:3"]}';
    const runtime = shellRuntime(`echo '${error}'; fail '${error}'`);
    await createFunction('lacks', [
      { path: 'bootstrap', mode: 0o755, content: { kind: 'bytes', bytes: Buffer.from(runtime) } },
    ]);
    const { code, stdout, stderr } = await invoke('lacks');
    expect(stdout.toString()).toBe(error);
    expect(stderr).not.toContain('errorMessage');
    expect(stderr).toContain(
      'The function failed (Unhandled).\nError: Call to undefined function mb_strlen()\n    #0 /var/task/a.php:3\n\n' +
        'mbstring is not in this layer: build it with --extensions +mbstring\n',
    );
    expect(code).toBe(1);
  });

  it('prints why a bootstrap cannot be started', async () => {
    await createFunction('windows', [
      { path: 'bootstrap', mode: 0o755, content: { kind: 'bytes', bytes: Buffer.from('#!/bin/sh\r\nexit\r\n') } },
    ]);
    const { stderr } = await invoke('windows');
    expect(stderr.match(/^Lamella: .*$/gm)).toEqual([
      'Lamella: the interpreter of /var/task/bootstrap: /bin/sh\\r does not exist (the line ends with CR LF; it must end with LF)',
    ]);
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

describe('lamella invoke in a terminal', () => {
  const show = (...args: string[]) => lamellaInTerminal(['invoke', ...args, '--endpoint-url', service.url]);

  it('prints the log, and the payload with a line end after it', async () => {
    const { code, screen } = await show('echoes', '-d', '{"name": "Wörld"}');
    expect(screen).toMatch(/^START RequestId: .*\nEND RequestId: .*\nREPORT RequestId: .*\n\{"name": "Wörld"\}\n$/);
    expect(code).toBe(0);
  });

  it('prints the lines of one log event below each other', async () => {
    const runtime = shellRuntime("printf 'first\\rsecond\\n'; respond 1");
    await createFunction('lines', [
      { path: 'bootstrap', mode: 0o755, content: { kind: 'bytes', bytes: Buffer.from(runtime) } },
    ]);
    expect((await show('lines')).screen).toContain('\nfirst\nsecond\nEND ');
  });

  it('prints the error of a function once, and not as JSON', async () => {
    const error = '{"errorType":"Error","errorMessage":"no good","stackTrace":["#0 /var/task/a.php:3"]}';
    const runtime = shellRuntime(`echo '${error}'; fail '${error}'`);
    await createFunction('throws', [
      { path: 'bootstrap', mode: 0o755, content: { kind: 'bytes', bytes: Buffer.from(runtime) } },
    ]);
    const { code, screen } = await show('throws');
    expect(screen).not.toContain('errorMessage');
    expect(screen.match(/no good/g)).toHaveLength(1);
    expect(screen).toMatch(/\nThe function failed \(Unhandled\)\.\nError: no good\n {4}#0 \/var\/task\/a\.php:3\n$/);
    expect(code).toBe(1);
  });

  it('prints its own errors in red', async () => {
    const { code, screen } = await show('missing');
    expect(screen).toContain('\x1b[31merror:\x1b[39m An error occurred (ResourceNotFoundException)');
    expect(code).toBe(5);
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
