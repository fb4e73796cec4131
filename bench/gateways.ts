/**
 * Measures what each kind of gateway adds to an invocation: the same PHP function with the same event, by plain Invoke and
 * through each gateway, in one run on one CPU, as in `warm-invoke`. Sends one request after another, or with `--load` on 64
 * connections at once.
 */
import { Agent, request } from 'node:http';
import { CreateFunctionUrlConfigCommand } from '@aws-sdk/client-lambda';
import { headLine, resultLine, startService } from './running-service.ts';

/** Rounds alternate between the targets, so that other load on this machine affects all of them. */
const ROUNDS = { count: 100, requests: 20, warmUp: 10 };
const LOAD_ROUNDS = { count: 5, requests: 2560, warmUp: 1 };
const CONNECTIONS = 64;
const BODY = Buffer.from('{"name":"World"}');
/** The event that a function URL creates from the request below. */
const EVENT = Buffer.from(
  JSON.stringify({
    version: '2.0',
    routeKey: '$default',
    rawPath: '/',
    rawQueryString: '',
    headers: {
      connection: 'keep-alive',
      'content-length': String(BODY.length),
      'content-type': 'application/json',
      host: 'abcdefghijklmnopqrstuvwxyz234567.lambda-url.us-east-1.localhost:3000',
      'x-amzn-trace-id': 'Root=1-5e6b4a90-1de4d666d4dd26aced652b6c',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '3000',
      'x-forwarded-proto': 'http',
    },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'abcdefghijklmnopqrstuvwxyz234567',
      domainName: 'abcdefghijklmnopqrstuvwxyz234567.lambda-url.us-east-1.localhost',
      domainPrefix: 'abcdefghijklmnopqrstuvwxyz234567',
      http: { method: 'POST', path: '/', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' },
      requestId: 'b1f8f4a3-5a0c-4f0e-9d5e-0b6f8f2f4d11',
      routeKey: '$default',
      stage: '$default',
      time: '12/Mar/2020:19:03:58 +0000',
      timeEpoch: 1584039838390,
    },
    body: BODY.toString(),
    isBase64Encoded: false,
  }),
);
const isLoad = process.argv.includes('--load');

type Target = { readonly url: URL; readonly host?: string; readonly body: Buffer };

const service = await startService([
  ...['--route', 'POST /hello -> hello', '--route', 'rest POST /rest -> hello', '--route', 'alb /alb -> hello'],
]);
try {
  await service.createHello('hello', 'bench/functions/answers.php');
  const { FunctionUrl = '' } = await service.client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName: 'hello', AuthType: 'NONE' }),
  );
  const targets: Readonly<Record<string, Target>> = {
    'plain Invoke': { url: new URL(`${service.url}/2015-03-31/functions/hello/invocations`), body: EVENT },
    // Only the Host header has the URL's host, because not every machine resolves names below localhost.
    'function URL': { url: new URL(service.http), host: new URL(FunctionUrl).host, body: BODY },
    'HTTP API, payload 2.0': { url: new URL(`${service.http}/hello`), body: BODY },
    'REST API': { url: new URL(`${service.http}/rest`), body: BODY },
    'load balancer': { url: new URL(`${service.http}/alb`), body: BODY },
  };
  const agent = new Agent({ keepAlive: true, maxSockets: isLoad ? CONNECTIONS : 1 });
  const times: Record<string, number[]> = {};
  const seconds: Record<string, number> = {};
  const rounds = isLoad ? LOAD_ROUNDS : ROUNDS;
  for (let round = 0; round < rounds.warmUp + rounds.count; round += 1) {
    for (const [name, target] of Object.entries(targets)) {
      const began = process.hrtime.bigint();
      const measured = await measure(target, agent, rounds.requests);
      if (round < rounds.warmUp) continue;
      times[name] = [...(times[name] ?? []), ...measured];
      seconds[name] = (seconds[name] ?? 0) + Number(process.hrtime.bigint() - began) / 1e9;
    }
  }
  agent.destroy();
  const base = times['plain Invoke'] ?? [];
  console.log(headLine());
  for (const [name, all] of Object.entries(times)) {
    const rate = isLoad ? `, ${Math.round(all.length / (seconds[name] ?? 1))} a second` : '';
    console.log(resultLine(`${name}${rate}`, all, 'µs', base));
  }
} finally {
  await service.stop();
}

/** Sends requests on all connections of the agent at once. Returns the round trips, in microseconds. */
async function measure(target: Target, agent: Agent, count: number): Promise<number[]> {
  const times: number[] = [];
  let left = count;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      const began = process.hrtime.bigint();
      const status = await post(target, agent);
      times.push(Number(process.hrtime.bigint() - began) / 1000);
      if (status !== 200) throw new Error(`${target.url} returned ${status}`);
    }
  };
  await Promise.all(Array.from({ length: agent.maxSockets }, work));
  return times;
}

function post({ url, host = url.host, body }: Target, agent: Agent): Promise<number | undefined> {
  return new Promise((settle, fail) => {
    const headers = { host, 'content-type': 'application/json', 'content-length': body.length };
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => settle(response.statusCode));
    });
    call.on('error', fail);
    call.end(body);
  });
}
