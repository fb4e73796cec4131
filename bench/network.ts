/**
 * The cost of an isolated network: cold and warm invocations of a PHP hello with `--network isolated` compared with the
 * shared network, alternating in one run on one CPU. Cold invocations follow one another, so that preparing the next network
 * is not hidden in a pause; then ten at once, most of which find no network prepared.
 */
import { send } from '../src/http/client.ts';
import { headLine, type RunningService, resultLine, startService } from './running-service.ts';

const ROUNDS = 30;
const BURSTS = 3;
const BURST = 10;
const WARM = 300;
const GREETING = 'Hello, World!';

const KINDS = ['shared', 'isolated'] as const;
type Times = Record<(typeof KINDS)[number], number[]>;

const services = {
  shared: await startService(['--network', 'shared']),
  isolated: await startService(['--network', 'isolated']),
};
try {
  const count = ROUNDS + BURSTS * BURST;
  for (const kind of KINDS) {
    for (let index = 0; index <= count; index += 1) await services[kind].createHello(`hello-${index}`);
    // Once, unmeasured: to fill the page cache and compile the code.
    await invoke(services[kind], 0);
  }
  let next = 1;
  const cold: Times = { shared: [], isolated: [] };
  for (let round = 0; round < ROUNDS; round += 1, next += 1) {
    for (const kind of KINDS) cold[kind].push(await timed(() => invoke(services[kind], next)));
  }
  const burst: Times = { shared: [], isolated: [] };
  for (let round = 0; round < BURSTS; round += 1, next += BURST) {
    const indexes = Array.from({ length: BURST }, (_, index) => next + index);
    for (const kind of KINDS) {
      burst[kind].push(await timed(() => Promise.all(indexes.map((index) => invoke(services[kind], index)))));
    }
  }
  const warm: Times = { shared: [], isolated: [] };
  for (let round = 0; round < WARM; round += 1) {
    for (const kind of KINDS) warm[kind].push(await timed(() => invoke(services[kind], 0)));
  }
  console.log(headLine());
  for (const [what, times] of Object.entries({ cold, [`${BURST} cold at once`]: burst, warm })) {
    for (const kind of KINDS) console.log(resultLine(`${what}, ${kind} network`, times[kind], 'ms', times.shared));
  }
} finally {
  for (const service of Object.values(services)) await service.stop();
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const began = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - began) / 1_000_000;
}

async function invoke(service: RunningService, index: number): Promise<void> {
  const url = new URL(`${service.url}/2015-03-31/functions/hello-${index}/invocations`);
  const response = await send({ method: 'POST', url, headers: {}, body: Buffer.from('{"name":"World"}') });
  if (response.body.toString() !== GREETING) throw new Error(`hello-${index}: ${response.status}: ${response.body}`);
}
