/**
 * A browser as the client: preflights and credentials from a page with another origin, cookies that a function sets,
 * streams, and requests that pages must not be able to make. Skipped without Chromium (`apt-get install chromium`).
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateFunctionUrlConfigCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, findChromium, type Page, startChromium } from '../support/chromium.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const chromium = findChromium();
if (chromium === undefined)
  console.warn('browser.test.ts is skipped: Chromium is not installed (apt-get install chromium).');

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
/** An allowed origin and another one. Both are same-site with the function's URL, so that browsers send cookies. */
let friend: string;
let stranger: string;

describe.skipIf(chromium === undefined)('a page with another origin', () => {
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

  /** Creates a function with a URL, and returns the URL. */
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

  /** Runs `fetch` in the page. Returns status, body and the visible headers, or the error. */
  const ask = (page: Page, url: string, options: object = {}) =>
    page.evaluate<
      { status: number; body: { calls: number; cookies?: string[] }; headers: Record<string, string> } | string
    >(
      `fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(
        async (response) => ({ status: response.status, body: await response.json(), headers: Object.fromEntries(response.headers) }),
        (failure) => String(failure))`,
    );
  const FAILED = 'TypeError: Failed to fetch';

  it('can send what the URL allows, and read what it exposes', async () => {
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
      // The preflight did not invoke the function.
      body: { method: 'PUT', custom: 'mine', calls: 1 },
      headers: { 'x-calls': '1', 'content-type': 'application/json' },
    });
    expect(await ask(page, url)).not.toHaveProperty('headers.x-hidden');
    expect(await ask(page, url, { ...put, headers: { 'x-other': '1' } })).toBe(FAILED);
    expect(await ask(page, url, { method: 'DELETE' })).toBe(FAILED);
    expect(await ask(await browser.open(stranger), url, put)).toBe(FAILED);
    expect(await ask(page, url, put)).toMatchObject({ body: { calls: 3 } });
  });

  it('sends cookies only if credentials are allowed', async () => {
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

  it('can be the response of a function after a redirect, and scripts do not see HttpOnly cookies', async () => {
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
      `fetch(${JSON.stringify(url)}).then((response) => { globalThis.reader = response.body.getReader(); })`,
    );
    expect(await page.evaluate(read)).toBe('first');
    await gate.arrived('first-was-read');
    gate.open('first-was-read');
    expect(await page.evaluate(read)).toBe('second');
    expect(await page.evaluate(read)).toBeNull();
  });

  it('is subject to the CORS of an HTTP API', async () => {
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

  it('cannot reach the Lambda API and the admin API', async () => {
    const page = await browser.open(friend);
    for (const path of ['/2015-03-31/functions', '/_lamella/gateways']) {
      expect(await ask(page, `${service.url}${path}`)).toBe(FAILED);
      expect(await ask(page, `${service.url}${path}`, { method: 'POST', body: '{}' })).toBe(FAILED);
    }
  });
});
