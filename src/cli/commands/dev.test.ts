/** `lamella dev` as a developer uses it: the built command, real files that change, and answers that follow. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella } from '../../../test/support/built-cli.ts';
import { shellRuntime } from '../../../test/support/function-zip.ts';
import { clientOf } from '../../../test/support/running-service.ts';
import { until } from '../../../test/support/until.ts';

let root: string;
let environment: Record<string, string>;
beforeAll(async () => {
  await buildIfStale();
  root = mkdtempSync(join(tmpdir(), 'lamella-dev-'));
  environment = {
    XDG_STATE_HOME: join(root, 'state'),
    XDG_DATA_HOME: join(root, 'data'),
  };
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content, { mode: 0o755 });
  }
}

/** A project that runs until `stop`. */
type Running = {
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything that it has printed, also to standard error. */
  text(): string;
  /** Resolves when this text was printed after the last call. */
  seen(wanted: string): Promise<string>;
  invoke(name: string, event?: unknown): Promise<string>;
  stop(): Promise<number | null>;
};

async function runDev(directory: string, args: readonly string[] = []): Promise<Running> {
  const readyFile = join(root, `${args.length}-${performance.now()}.json`);
  const child = spawn(LAMELLA, ['dev', ...args, '--port', '0', '--ready-file', readyFile], {
    cwd: directory,
    env: cleanEnvironment(environment),
  });
  let text = '';
  let from = 0;
  const waiting = new Set<() => void>();
  const failures = new Set<() => void>();
  child.once('close', () => {
    for (const fail of failures) fail();
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
      for (const check of waiting) check();
    });
  }
  const seen = (wanted: string) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const at = text.indexOf(wanted, from);
        if (at < 0) return;
        waiting.delete(check);
        const found = text.slice(from, at + wanted.length);
        from = at + wanted.length;
        resolve(found);
      };
      waiting.add(check);
      failures.add(() => reject(new Error(`"${wanted}" was not printed:\n${text}`)));
      check();
    });
  await seen('Lambda API    ');
  const invocations: Record<string, number> = {};
  const url = () => JSON.parse(readFileSync(readyFile, 'utf8')).lambda as string;
  return {
    child,
    text: () => text,
    seen,
    async invoke(name, event = {}) {
      const client = clientOf(url());
      const { Payload } = await client.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }));
      client.destroy();
      // The line comes when the environment is free again, so that the next invocation finds it.
      invocations[name] = (invocations[name] ?? 0) + 1;
      await until(() => countOf(text, new RegExp(`${name}  \\w+, (cold|warm), `, 'g')) >= (invocations[name] ?? 0));
      return Buffer.from(Payload ?? []).toString();
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await once(child, 'close');
      expect(existsSync(readyFile)).toBe(false);
      return code as number | null;
    },
  };
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** Responds with `text` and the number of invocations that the environment has had. */
const program = (text: string) => shellRuntime(`N=$((N + 1)); respond "${text} $N"`);

const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: provided.al2023
    Handler: any
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello/
      FunctionUrlConfig: { AuthType: NONE }
      Events:
        Page: { Type: HttpApi, Properties: { Path: /page, Method: get } }
        Nightly: { Type: Schedule, Properties: { Schedule: rate(1 day) } }
  Layered:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: layered/
      Layers: [!Ref Words]
      Events:
        Work: { Type: SQS, Properties: { Queue: !GetAtt Orders.Arn } }
  Orders: { Type: AWS::SQS::Queue }
  Words:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: words/ }
`;

describe('lamella dev with a template', () => {
  let directory: string;
  let dev: Running;
  beforeAll(async () => {
    directory = join(root, 'shop');
    write(directory, {
      'template.yaml': TEMPLATE,
      '.env': 'GREETING=Hi\nAWS_SECRET_ACCESS_KEY=real',
      'hello/bootstrap': program('first'),
      'layered/bootstrap': shellRuntime('N=$((N + 1)); respond "$GREETING $(cat /opt/word.txt) $N"'),
      'words/word.txt': 'layer',
    });
    dev = await runDev(directory);
    await dev.seen('Press Ctrl+C');
  });
  afterAll(async () => {
    if (dev.child.exitCode === null) await dev.stop();
  });

  it('prints every address, and keeps the keys of .env from functions', () => {
    const lines = dev.text().replace(/\d\d:\d\d:\d\d/g, 'T');
    expect(lines).toMatch(/Hello +provided\.al2023 +http:\/\/\w+\.lambda-url\.us-east-1\.localhost:\d+\//);
    expect(lines).toMatch(/Layered +provided\.al2023 +lamella invoke Layered/);
    expect(lines).toMatch(/GET \/page +http:\/\/\w+\.execute-api\.us-east-1\.localhost:\d+\/page +-> Hello/);
    expect(lines).toMatch(/shop-Orders-\w+ +http:\S+ +-> Layered/);
    expect(lines).toMatch(/shop-HelloNightly-\w+ +rate\(1 day\) +-> Hello/);
    expect(lines).toContain('Functions do not get AWS_SECRET_ACCESS_KEY');
  });

  it('runs a saved file with the next invocation, and restarts only the function that it belongs to', async () => {
    expect(await dev.invoke('Hello')).toBe('first 1');
    expect(await dev.invoke('Layered')).toBe('Hi layer 1');
    write(directory, { 'hello/bootstrap': program('second') });
    expect(await dev.invoke('Hello')).toBe('second 1');
    await dev.seen('changed bootstrap: the next invocation of Hello runs it');
    expect(await dev.invoke('Hello')).toBe('second 2');
    expect(await dev.invoke('Layered')).toBe('Hi layer 2');
    expect(await dev.seen('Layered  ok, warm')).toMatch(
      /Hello {2}ok, cold, [\d.]+ ms \(init [\d.]+ ms\), \d+ of 128 MB/,
    );
  });

  it('builds a layer again when its sources change, and restarts the functions that use it', async () => {
    write(directory, { 'words/word.txt': 'other' });
    await dev.seen('deployed in');
    expect(await dev.invoke('Layered')).toBe('Hi other 1');
    expect(await dev.invoke('Hello')).toBe('second 3');
  });

  it('keeps what runs when the template is wrong, with its place, and deploys it when it is right again', async () => {
    write(directory, { 'template.yaml': TEMPLATE.replace('AWS::SQS::Queue }', 'AWS::SQS::Quue }') });
    const problem = await dev.seen('What was deployed before stays.');
    expect(problem).toMatch(/error: template\.yaml:22:\d+: .*AWS::SQS::Quue/);
    expect(problem).toContain('   22 |   Orders: { Type: AWS::SQS::Quue }');
    expect(await dev.invoke('Hello')).toBe('second 4');
    // As an editor saves: a new file takes the place of the old one.
    write(directory, {
      'template.new': TEMPLATE.replace('Resources:', 'Resources:\n  More: { Type: AWS::SNS::Topic }'),
    });
    renameSync(join(directory, 'template.new'), join(directory, 'template.yaml'));
    await dev.seen('deployed in');
    await dev.seen('shop-More-');
    expect(await dev.invoke('Hello')).toBe('second 5');
  });

  it('is what commands in the directory of the project use', async () => {
    const result = await lamella(['invoke', 'Hello', '-d', '{}', '--log-type', 'None'], {
      environment,
      cwd: join(directory, 'hello'),
    });
    expect(result.stdout.toString()).toBe('second 6');
  });

  it('goes on after kill -9 with its data, and stops with its data on request', async () => {
    dev.child.kill('SIGKILL');
    await once(dev.child, 'close');
    write(directory, { 'hello/bootstrap': program('third') });
    dev = await runDev(directory);
    await dev.seen('nothing to deploy in');
    await dev.seen('Press Ctrl+C');
    expect(await dev.invoke('Hello')).toBe('third 1');
    expect(await dev.stop()).toBe(0);
    expect(dev.text()).toMatch(/Stopped\. The data is in .*\/data\/lamella-dev\/shop-[0-9a-f]{8}\.\n$/);
  });
});

describe('lamella dev without a template', () => {
  const handler = (text: string) =>
    `type Name = { name: string };\nexport const handler = async (event: Name): Promise<string> => \`${text} \${event.name}\`;\n`;

  it('runs a TypeScript handler, says what is wrong with it, and is as fast after a save as a cold start', {
    timeout: 120_000,
  }, async () => {
    const directory = join(root, 'greeter');
    write(directory, { 'src/index.ts': 'export const handler = async (event: {', '.env': 'A=1' });
    const dev = await runDev(directory);
    try {
      expect(await dev.seen('Nothing is deployed yet.')).toMatch(/src\/index\.ts:1:\d+/);
      write(directory, { 'src/index.ts': handler('Hello') });
      await dev.seen('Press Ctrl+C');
      expect(await dev.invoke('greeter', { name: 'you' })).toBe('"Hello you"');
      write(directory, { 'src/index.ts': `${handler('Bye')}}` });
      await dev.seen('What was deployed before stays.');
      expect(await dev.invoke('greeter', { name: 'you' })).toBe('"Hello you"');

      const measure = async (work: () => Promise<void>) => {
        const start = performance.now();
        await work();
        return performance.now() - start;
      };
      const cold: number[] = [];
      const saved: number[] = [];
      for (let round = 0; round < 2; round += 1) {
        write(directory, { 'src/index.ts': handler(`a${round}`) });
        // Built, and reported: what is left is a cold start.
        await dev.seen('built Function');
        cold.push(await measure(async () => expect(await dev.invoke('greeter', { name: '' })).toBe(`"a${round} "`)));
        saved.push(
          await measure(async () => {
            write(directory, { 'src/index.ts': handler(`b${round}`) });
            expect(await dev.invoke('greeter', { name: '' })).toBe(`"b${round} "`);
          }),
        );
        await dev.seen('built Function');
      }
      // 100 ms, or on a busy machine as long as a cold start takes there.
      const fastest = Math.min(...cold);
      expect(Math.min(...saved) - fastest).toBeLessThan(Math.max(100, fastest));
    } finally {
      await dev.stop();
    }
  });

  it('prints JSON lines with --json', async () => {
    const directory = join(root, 'plain');
    write(directory, { bootstrap: program('one') });
    const child = spawn(LAMELLA, ['dev', '--json', '--port', '0', '--ephemeral'], {
      cwd: directory,
      env: cleanEnvironment(environment),
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk;
      if (text.includes('"type":"deployed"')) child.kill('SIGTERM');
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ lambda: expect.stringContaining('http://'), pid: child.pid });
    expect(lines[1]).toMatchObject({
      type: 'deployed',
      isChanged: true,
      functions: [{ name: 'plain', runtime: 'provided.al2023' }],
    });
  });

  it('is refused with what to do in a directory that has nothing to run', async () => {
    mkdirSync(join(root, 'nothing'));
    const result = await lamella(['dev'], { environment, cwd: join(root, 'nothing') });
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(
      /it has no template and no handler that Lamella knows\.\nCreate a project with `lamella init`/,
    );
  });
});
