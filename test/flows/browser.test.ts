/**
 * A browser at the gateways: preflights and credentials from a page of another origin, cookies that a function sets,
 * streams as they are read, and what pages may not do. `apt-get install chromium` for it; without, it is left out.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateFunctionUrlConfigCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, findChromium, type Page, startChromium } from '../support/chromium.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const chromium = findChromium();
if (chromium === undefined) console.warn('browser.test.ts is left out: there is no Chromium (apt install chromium).');

const FUNCTION = `
let calls = 0;
export const handler = async (event) => {
  calls += 1;
  const path = event.rawPath;
  if (path === '/login') {
    return { statusCode: 303, headers: { location: './page' }, cookies: ['session=abc; HttpOnly', 'theme=dark'] };
  }
  if (path === '/page') {
    const body = '<title>Grüße</title><p id=cookies>' + event.cookies.join('|');
    return { statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
  }
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json', 'x-calls': String(calls), 'x-hidden': 'yes' },
    body: JSON.stringify({ method: event.requestContext.http.method, cookies: event.cookies, custom: event.headers['x-custom'], calls }),
  };
};
export const streaming = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 200, headers: { 'content-type': 'text/event-stream' } });
  stream.write('first');
  await fetch(process.env.GATE + '/first-was-read');
  stream.write('second');
  stream.end();
});
`;

let service: RunningService;
let gate: Gate;
let browser: Browser;
let pages: Server;
/** Origins that the function knows, and does not. Of the same site as its URL, so that cookies may be sent. */
let friend: string;
let stranger: string;

describe.skipIf(chromium === undefined)('a page of another origin', () => {
  beforeAll(async () => {
    gate = await startGate();
    pages = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>page</title>'));
    await new Promise<void>((settle) => pages.listen(0, '127.0.0.1', settle));
    const pagesPort = (pages.address() as AddressInfo).port;
    friend = `http://friend.us-east-1.localhost:${pagesPort}`;
    stranger = `http://stranger.us-east-1.localhost:${pagesPort}`;
    [service, browser] = await Promise.all([startService(), startChromium(chromium ?? '')]);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await service.close();
    pages.close();
    pages.closeAllConnections();
    gate.close();
  });

  /** A function and its URL; the CORS of it, if any. */
  async function createUrl(
    FunctionName: string,
    Cors?: ConstructorParameters<typeof CreateFunctionUrlConfigCommand>[0]['Cors'],
    Handler = 'index.handler',
  ): Promise<string> {
    await service.createFunction(
      FunctionName,
      { 'index.mjs': FUNCTION },
      { Runtime: 'nodejs20.x', Handler, MemorySize: 512, Environment: { Variables: { GATE: gate.url } } },
    );
    const InvokeMode = Handler === 'index.streaming' ? 'RESPONSE_STREAM' : 'BUFFERED';
    const { FunctionUrl = '' } = await service.client.send(
      new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE', InvokeMode, Cors }),
    );
    return FunctionUrl;
  }

  /** What `fetch` in the page gives: status, body and the headers that it may see; or why it gives nothing. */
  const ask = (page: Page, url: string, options: object = {}) =>
    page.evaluate<
      { status: number; body: { calls: number; cookies?: string[] }; headers: Record<string, string> } | string
    >(
      `fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(
        async (answer) => ({ status: answer.status, body: await answer.json(), headers: Object.fromEntries(answer.headers) }),
        (failure) => String(failure))`,
    );
  const FAILED = 'TypeError: Failed to fetch';

  it('sends what the URL allows, and reads what it exposes', async () => {
    const url = await createUrl('cors', {
      AllowOrigins: [friend],
      AllowMethods: ['PUT'],
      AllowHeaders: ['x-custom', 'content-type'],
      ExposeHeaders: ['x-calls'],
      MaxAge: 0,
    });
    const put = { method: 'PUT', headers: { 'x-custom': 'mine', 'content-type': 'application/json' }, body: '{}' };
    const page = await browser.open(friend);
    expect(await ask(page, url, put)).toMatchObject({
      status: 200,
      // The preflight was not a call of the function.
      body: { method: 'PUT', custom: 'mine', calls: 1 },
      headers: { 'x-calls': '1', 'content-type': 'application/json' },
    });
    expect(await ask(page, url)).not.toHaveProperty('headers.x-hidden');
    expect(await ask(page, url, { ...put, headers: { 'x-other': '1' } })).toBe(FAILED);
    expect(await ask(page, url, { method: 'DELETE' })).toBe(FAILED);
    expect(await ask(await browser.open(stranger), url, put)).toBe(FAILED);
    expect(await ask(page, url, put)).toMatchObject({ body: { calls: 3 } });
  });

  it('sends cookies only where credentials are allowed', async () => {
    const url = await createUrl('credentials', { AllowOrigins: [friend], AllowCredentials: true });
    const page = await browser.open(friend);
    expect(await ask(page, `${url}anything`, { credentials: 'include' })).toMatchObject({ status: 200 });
    await (await browser.open(`${url}login`)).evaluate('document.cookie');
    expect(await ask(page, url, { credentials: 'include' })).toMatchObject({
      body: { cookies: ['session=abc', 'theme=dark'] },
    });
    expect(await ask(page, url)).not.toHaveProperty('body.cookies');
    const star = await createUrl('star', { AllowOrigins: ['*'] });
    expect(await ask(page, star)).toMatchObject({ status: 200 });
    expect(await ask(page, star, { credentials: 'include' })).toBe(FAILED);
  });

  it('is itself what a function answers with, after a redirect, with cookies of which scripts see some', async () => {
    const page = await browser.open(`${await createUrl('site')}login`);
    expect(
      await page.evaluate('[document.title, document.querySelector("#cookies").textContent, document.cookie]'),
    ).toEqual(['Grüße', 'session=abc|theme=dark', 'theme=dark']);
  });

  it('reads a stream while the function writes it', async () => {
    const url = await createUrl('streams', { AllowOrigins: [friend] }, 'index.streaming');
    const page = await browser.open(friend);
    const read = 'reader.read().then(({ done, value }) => (done ? null : new TextDecoder().decode(value)))';
    await page.evaluate(
      `fetch(${JSON.stringify(url)}).then((answer) => { globalThis.reader = answer.body.getReader(); })`,
    );
    expect(await page.evaluate(read)).toBe('first');
    await gate.arrived('first-was-read');
    gate.open('first-was-read');
    expect(await page.evaluate(read)).toBe('second');
    expect(await page.evaluate(read)).toBeNull();
  });

  it("has an HTTP API's CORS", async () => {
    service.lamella.http.put('cors-api', {
      kind: 'http-api',
      hosts: ['cors-api.us-east-1.localhost'],
      cors: { allowOrigins: [friend], allowMethods: ['PATCH'], allowHeaders: ['x-custom'] },
      routes: ['PATCH /here -> cors'],
    });
    const api = `http://cors-api.us-east-1.localhost:${new URL(service.lamella.http.url).port}`;
    const page = await browser.open(friend);
    const patch = { method: 'PATCH', headers: { 'x-custom': 'mine' } };
    expect(await ask(page, `${api}/here`, patch)).toMatchObject({ status: 200, body: { custom: 'mine' } });
    expect(await ask(await browser.open(stranger), `${api}/here`, patch)).toBe(FAILED);
  });

  it('reaches neither the API nor the admin API', async () => {
    const page = await browser.open(friend);
    for (const path of ['/2015-03-31/functions', '/_lamella/gateways']) {
      expect(await ask(page, `${service.url}${path}`)).toBe(FAILED);
      expect(await ask(page, `${service.url}${path}`, { method: 'POST', body: '{}' })).toBe(FAILED);
    }
  });
});
