/**
 * A warm invocation compared with a `node:http` echo, in one run: client, service and function share one CPU, so that the
 * median is the sum of their work and does not depend on which core woke which. The ratio is what counts.
 */
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { headLine, resultLine, startService } from './running-service.ts';

const ROUNDS = 7;
const REQUESTS = 500;
const EVENT = Buffer.from('{"name":"World"}');
const ECHO = `require('node:http').createServer((q, r) => { const c = []; q.on('data', (d) => c.push(d));
  q.on('end', () => { const b = Buffer.concat(c); r.writeHead(200, { 'content-length': b.length }).end(b); }); })
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

const service = await startService();
const echo = spawn(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  const port = await new Promise<string>((settle) => createInterface({ input: echo.stdout }).once('line', settle));
  await service.createHello('hello');
  const targets = {
    echo: new URL(`http://127.0.0.1:${port}/`),
    invoke: new URL(`${service.url}/2015-03-31/functions/hello/invocations`),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: Record<keyof typeof targets, number[]> = { echo: [], invoke: [] };
  for (const url of Object.values(targets)) await measure(url, agent, REQUESTS);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of ['echo', 'invoke'] as const)
      times[name].push(...(await measure(targets[name], agent, REQUESTS)));
  }
  agent.destroy();
  console.log(headLine());
  console.log(resultLine('node:http echo over loopback', times.echo, 'µs', times.echo));
  console.log(resultLine('warm invocation of a PHP hello', times.invoke, 'µs', times.echo));
} finally {
  echo.kill();
  await service.stop();
}

/** Round trips one after another over one connection, in microseconds. */
async function measure(url: URL, agent: Agent, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const began = process.hrtime.bigint();
    const status = await post(url, agent);
    times.push(Number(process.hrtime.bigint() - began) / 1000);
    if (status !== 200) throw new Error(`${url} returned ${status}`);
  }
  return times;
}

function post(url: URL, agent: Agent): Promise<number | undefined> {
  return new Promise((settle, fail) => {
    const call = request(url, { method: 'POST', agent, headers: { 'content-length': EVENT.length } }, (response) => {
      response.resume();
      response.on('end', () => {
        const failed = response.headers['x-amz-function-error'];
        if (failed) fail(new Error(`the function failed: ${failed}`));
        else settle(response.statusCode);
      });
    });
    call.on('error', fail);
    call.end(EVENT);
  });
}
