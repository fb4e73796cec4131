/**
 * Headless Chromium, driven over its debugging pipe: only what opening a page and evaluating an expression in it takes. Its
 * profile is temporary. https://chromedevtools.github.io/devtools-protocol/
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { descendantsOf, stillAlive } from './processes.ts';
import { until } from './until.ts';

export type Page = {
  /** Resolves with the value of an expression in the page, awaited. Rejects with its exception. */
  evaluate<Value>(expression: string): Promise<Value>;
  /** Navigates to another address and waits until it has loaded. */
  go(url: string): Promise<void>;
};

export type Browser = {
  /** Opens a page and waits until it has loaded. Pages share cookies. */
  open(url: string): Promise<Page>;
  close(): Promise<void>;
};

/** The path of Chromium on this machine, if it is installed. */
export function findChromium(): string | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

type Message = {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
};

export async function startChromium(program: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'lamella-chromium-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const child = spawn(program, [...flags, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<void>((settle) => child.once('exit', () => settle()));
  const [, , , toChild, fromChild] = child.stdio as unknown as [null, null, null, Writable, Readable];
  toChild.on('error', () => undefined);
  const pending = new Map<number, { resolve(result: Record<string, unknown>): void; reject(failure: Error): void }>();
  const loads = new Map<string, () => void>();
  let buffered = '';
  fromChild.setEncoding('utf8').on('data', (text: string) => {
    const messages = (buffered + text).split('\0');
    buffered = messages.pop() ?? '';
    for (const message of messages.map((each) => JSON.parse(each) as Message)) take(message);
  });

  function take({ id, method, sessionId, result, error }: Message): void {
    if (method === 'Page.loadEventFired') loads.get(sessionId ?? '')?.();
    const waiting = id === undefined ? undefined : pending.get(id);
    if (waiting === undefined) return;
    pending.delete(id as number);
    if (error) waiting.reject(new Error(error.message));
    else waiting.resolve(result ?? {});
  }

  let lastId = 0;
  const send = (method: string, params: object, sessionId?: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      lastId += 1;
      pending.set(lastId, { resolve, reject });
      toChild.write(`${JSON.stringify({ id: lastId, method, params, sessionId })}\0`);
    });
  child.once('exit', () => {
    for (const { reject } of pending.values()) reject(new Error('Chromium has ended'));
  });

  return {
    async open(url) {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
      await send('Page.enable', {}, sessionId);
      const page: Page = {
        async evaluate<Value>(expression: string) {
          const params = { expression, awaitPromise: true, returnByValue: true };
          const { result, exceptionDetails } = (await send('Runtime.evaluate', params, sessionId)) as {
            result: { value: Value };
            exceptionDetails?: { exception?: { description?: string } };
          };
          if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? 'the page threw');
          return result.value;
        },
        async go(address) {
          const loaded = new Promise<void>((settle) => loads.set(sessionId, settle));
          const { errorText } = await send('Page.navigate', { url: address }, sessionId);
          if (errorText) throw new Error(`${address}: ${errorText}`);
          await loaded;
        },
      };
      await page.go(url);
      return page;
    },
    async close() {
      const helpers = descendantsOf(child.pid as number);
      child.kill();
      await exited;
      // They end shortly after it, and write into the profile until then.
      await until(() => stillAlive(helpers).length === 0);
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
