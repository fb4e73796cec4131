/**
 * Functions under a debugger, with real ones: a DBGp client for Debian's Xdebug, a client of Node's inspector, and debugpy's
 * adapter. Breakpoints are met by the first invocation and by warm ones, and timeouts do not count meanwhile.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lamella, start } from '../../src/lamella.ts';
import { buildIfStale, lamella as cli } from '../support/built-cli.ts';
import { DbgpClient } from '../support/dbgp-client.ts';
import { InspectorClient } from '../support/inspector-client.ts';
import { until } from '../support/until.ts';

const PHP = `<?php

return function (array $event): array {
    $name = $event['name'];
    return ['hello' => $name];
};
`;
const NODE = `export const handler = async (event) => {
  const name = event.name;
  return { hello: name };
};
`;
const PYTHON = `def handler(event, context):
    name = event["name"]
    return {"hello": name}
`;
/** Shorter than what a person needs at a breakpoint, and than the loops below. */
const TIMEOUT_SECONDS = 1;

let lamella: Lamella;
let directory: string;
let xdebug: string;

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-debug-'));
  xdebug = debianXdebug(directory);
  lamella = await start({ logLevel: 'error', debug: ['php', 'php84', 'node', 'python', 'shell'], xdebug });
}, 120_000);
afterAll(async () => {
  await lamella?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Of the package for PHP 8.2, unpacked: installing it would change the PHP of this machine. */
function debianXdebug(target: string): string {
  const installed = '/usr/lib/php/20220829/xdebug.so';
  const path = join(target, 'xdebug.so');
  if (existsSync(installed)) copyFileSync(installed, path);
  else {
    downloadPackage('php8.2-xdebug', target);
    execFileSync('sh', ['-c', 'dpkg-deb -x php8.2-xdebug_*.deb package'], { cwd: target });
    copyFileSync(join(target, 'package', installed), path);
  }
  return path;
}

/** With lists of its own if this machine's are missing: an image may have been made without them. */
function downloadPackage(name: string, target: string): void {
  const run = (...args: string[]) => execFileSync('apt-get', args, { cwd: target, stdio: 'pipe' });
  try {
    run('download', name);
  } catch {
    for (const place of ['lists/partial', 'archives/partial'])
      mkdirSync(join(target, 'apt', place), { recursive: true });
    const places = ['-o', `Dir::State::Lists=${join(target, 'apt/lists')}`, '-o', `Dir::Cache=${join(target, 'apt')}`];
    run(...places, 'update', '-qq');
    run(...places, 'download', name);
  }
}

/** Lets more time pass than the timeout of the functions. */
async function outlast(isDone: () => boolean | Promise<boolean> = () => false): Promise<void> {
  const until = performance.now() + TIMEOUT_SECONDS * 1500;
  while (performance.now() < until && !(await isDone())) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('a PHP function with Xdebug', () => {
  it('stops at breakpoints of the first and of warm invocations, and times out only without a debugger', async () => {
    const definition = { name: 'php', code: PHP, handler: 'hello.php', layers: ['php:8.2'], timeout: TIMEOUT_SECONDS };
    await lamella.functions.put({ ...definition, memory: 256 });
    const debuggerClient = await DbgpClient.listen();
    try {
      const first = lamella.invoke('php', { name: 'World' });
      expect(await debuggerClient.next()).toMatch(/<init .*language="PHP" xdebug:language_version="8\.2\./s);
      expect(await debuggerClient.command('breakpoint_set', '-t line -f file:///var/task/hello.php -n 5')).toMatch(
        / id="\d+"/,
      );
      expect(await debuggerClient.command('run')).toMatch(
        /status="break".*filename="file:\/\/\/var\/task\/hello\.php" lineno="5"/s,
      );
      expect(await debuggerClient.command('property_get', '-n $name')).toContain(
        Buffer.from('World').toString('base64'),
      );
      await outlast();
      debuggerClient.send('run');
      expect(await first).toMatchObject({ functionError: undefined, payload: { hello: 'World' } });

      // The same session, in which the program waits for the next invocation.
      const second = lamella.invoke('php', { name: 'again' });
      expect(await debuggerClient.next()).toMatch(/status="break".*lineno="5"/s);
      expect(await debuggerClient.command('eval', '', 'strtoupper($name)')).toContain(
        Buffer.from('AGAIN').toString('base64'),
      );
      // A debugger that detaches and waits again is met by the next invocation of the same environment.
      expect(await debuggerClient.command('detach')).toContain('status="stopping"');
      debuggerClient.disconnect();
      expect(await second).toMatchObject({ payload: { hello: 'again' }, cold: false });
      const third = lamella.invoke('php', { name: 'back' });
      expect(await debuggerClient.next()).toContain('<init ');
      await debuggerClient.command('breakpoint_set', '-t line -f file:///var/task/hello.php -n 5');
      expect(await debuggerClient.command('run')).toMatch(/status="break".*lineno="5"/s);
      debuggerClient.send('run');
      expect(await third).toMatchObject({ payload: { hello: 'back' }, cold: false });
    } finally {
      await debuggerClient.close();
    }
    // Without a debugger, it runs and its timeout counts.
    const slow = '<?php return function (): void { sleep(60); };';
    await lamella.functions.put({ ...definition, memory: 256, code: slow });
    expect(await lamella.invoke('php')).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType: 'Sandbox.Timedout' },
    });
  }, 120_000);

  it('is refused with the ABI that is missing, and never gets another one', async () => {
    const definition = { name: 'php84', code: PHP, handler: 'hello.php', layers: ['php:8.4'], memory: 256 };
    await lamella.functions.put(definition);
    await expect(lamella.invoke('php84', { name: 'x' })).rejects.toThrow(
      /xdebug\.so is for PHP 8\.2 \(API20220829,NTS\), and the layer's PHP needs PHP 8\.4 \(API20240924,NTS\)\. Get Xdebug for .*--xdebug/,
    );
    // Functions that are not meant are not affected.
    await lamella.functions.put({ ...definition, name: 'other' });
    expect(await lamella.invoke('other', { name: 'x' })).toMatchObject({ payload: { hello: 'x' } });
  }, 120_000);
});

describe('a Node.js function with its inspector', () => {
  it('waits for the debugger, and stops at breakpoints of the first and of warm invocations', async () => {
    const code = { 'index.mjs': NODE };
    await lamella.functions.put({ name: 'node', code, runtime: 'nodejs20.x', memory: 256, timeout: TIMEOUT_SECONDS });
    const first = lamella.invoke('node', { name: 'World' });
    const port = await portOf('node', 9229);
    const inspector = await InspectorClient.attach(port);
    try {
      await inspector.call('Debugger.enable');
      const location = { url: 'file:///var/task/index.mjs', lineNumber: 2 };
      expect(await inspector.call('Debugger.setBreakpointByUrl', location)).toMatchObject({
        breakpointId: expect.any(String),
      });
      await inspector.call('Runtime.runIfWaitingForDebugger');
      const stopped = await inspector.event('Debugger.paused');
      expect(stopped.callFrames[0]).toMatchObject({ functionName: 'handler', location: { lineNumber: 2 } });
      const { callFrameId } = stopped.callFrames[0];
      const evaluated = await inspector.call('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'name' });
      expect(evaluated.result.value).toBe('World');
      await outlast();
      await inspector.call('Debugger.resume');
      expect(await first).toMatchObject({ functionError: undefined, payload: { hello: 'World' } });

      // The process is not frozen between invocations, so that the debugger can talk to it.
      expect((await inspector.call('Runtime.evaluate', { expression: '6 * 7' })).result.value).toBe(42);
      const second = lamella.invoke('node', { name: 'again' });
      await inspector.event('Debugger.paused');
      await inspector.call('Debugger.resume');
      expect(await second).toMatchObject({ payload: { hello: 'again' }, cold: false });
    } finally {
      inspector.close();
    }
  }, 60_000);
});

describe('a Python function with debugpy', () => {
  it('waits for the debugger, and stops at breakpoints of the first and of warm invocations', async () => {
    await lamella.functions.put({ name: 'python', code: PYTHON, runtime: 'python3.11', memory: 512, timeout: 60 });
    const first = lamella.invoke('python', { name: 'World' });
    const port = await portOf('python', 5678);
    const client = await DapClient.attach(port);
    try {
      client.send('initialize', { adapterID: 'test', pathFormat: 'path' });
      client.send('attach', { pathMappings: [{ localRoot: '/var/task', remoteRoot: '/var/task' }], justMyCode: false });
      await client.event('initialized');
      client.send('setBreakpoints', { source: { path: '/var/task/index.py' }, breakpoints: [{ line: 3 }] });
      client.send('configurationDone');
      const { threadId } = await client.event('stopped');
      client.send('continue', { threadId });
      expect(await first).toMatchObject({ payload: { hello: 'World' } });
      const second = lamella.invoke('python', { name: 'again' });
      client.send('continue', { threadId: (await client.event('stopped')).threadId });
      expect(await second).toMatchObject({ payload: { hello: 'again' }, cold: false });
    } finally {
      client.close();
    }
  }, 120_000);
});

it('a function in another language is refused by name', async () => {
  await lamella.functions.put({ name: 'shell', code: '#!/bin/sh\nexit 1\n' });
  await expect(lamella.invoke('shell')).rejects.toThrow(
    'shell cannot be debugged: Lamella has debuggers for PHP and Node.js of its layers',
  );
});

it('--debug needs the network of this machine', async () => {
  await expect(start({ debug: ['node'], network: 'isolated', logLevel: 'silent' })).rejects.toThrow(
    '--debug needs --network shared',
  );
});

it('lamella debug config writes settings for VS Code, beside those that are there', async () => {
  const project = mkdtempSync(join(directory, 'project-'));
  mkdirSync(join(project, '.vscode'));
  const file = join(project, '.vscode/launch.json');
  writeFileSync(file, JSON.stringify({ version: '0.2.0', configurations: [{ name: 'mine' }], compounds: [] }));
  const { stdout, code } = await cli(['debug', 'config', project, '--code', 'app']);
  expect(code).toBe(0);
  const printed = JSON.parse(stdout.toString());
  expect(printed.configurations[0]).toMatchObject({
    port: 9003,
    pathMappings: { '/var/task': expect.stringMatching(/^\$\{workspaceFolder\}\/app$/) },
  });
  for (let times = 0; times < 2; times += 1) {
    expect(await cli(['debug', 'config', project, '--code', 'app', '--write'])).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      version: '0.2.0',
      configurations: [{ name: 'mine' }, ...printed.configurations],
      compounds: [],
    });
  }
  writeFileSync(file, '{ // mine\n}');
  const refused = await cli(['debug', 'config', project, '--write']);
  expect(refused.stderr).toContain('Comments would be lost');
  expect(readFileSync(file, 'utf8')).toBe('{ // mine\n}');
});

/** The port at which the function waits, from its log: the usual one unless another program has it. */
async function portOf(name: string, usual: number): Promise<number> {
  let port = 0;
  await until(async () => {
    const lines = await lamella.logs(name);
    const waiting = lines
      .map(({ message }) => /^Lamella: Waiting .* 127\.0\.0\.1:(\d+)\./.exec(message)?.[1])
      .find(Boolean);
    port = Number(waiting ?? 0);
    return port > 0 && listens(port);
  }, 30);
  expect(port).toBeGreaterThanOrEqual(usual);
  return port;
}

/** Whether a program listens at the port. A connection for a try would be taken for a debugger. */
function listens(port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
  return readFileSync('/proc/net/tcp', 'utf8').includes(local);
}

/** A client of the Debug Adapter Protocol, which debugpy speaks as editors do. */
class DapClient {
  readonly #socket: Socket;
  #received = '';
  #sequence = 0;
  // biome-ignore lint/suspicious/noExplicitAny: events of the protocol
  readonly #events: any[] = [];
  #onEvent: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      for (;;) {
        const [head, length] = /^Content-Length: (\d+)\r\n\r\n/.exec(this.#received) ?? [];
        if (head === undefined || this.#received.length < head.length + Number(length)) return;
        const message = JSON.parse(this.#received.slice(head.length, head.length + Number(length)));
        this.#received = this.#received.slice(head.length + Number(length));
        if (message.type === 'event') this.#events.push(message);
        this.#onEvent();
      }
    });
  }

  static attach(port: number): Promise<DapClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new DapClient(socket)));
      socket.once('error', reject);
    });
  }

  send(command: string, args: object = {}): void {
    this.#sequence += 1;
    const body = JSON.stringify({ seq: this.#sequence, type: 'request', command, arguments: args });
    this.#socket.write(`Content-Length: ${body.length}\r\n\r\n${body}`);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the body of an event
  async event(name: string): Promise<any> {
    for (;;) {
      const at = this.#events.findIndex(({ event }) => event === name);
      if (at !== -1) return this.#events.splice(at, 1)[0].body;
      await new Promise<void>((resolve) => {
        this.#onEvent = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
