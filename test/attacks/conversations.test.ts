/**
 * Whole conversations with the APIs of an execution environment, by a model of their documentation: a runtime with internal
 * extensions and an external extension in a real sandbox, each with a seed of its own. Every response has a documented
 * status, and the service and another function do not notice.
 */
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { CONVERSING_EXTENSION, CONVERSING_RUNTIME } from './conversation-program.ts';
import { cases, randomFrom, seedOf, startTarget, type Target } from './target.ts';

let target: Target;

beforeAll(async () => {
  target = await startTarget();
  await target.createFunction('neighbor', { bootstrap: shellRuntime('respond "$EVENT"') }, { Timeout: 60 });
  await target.createFunction('plain', { bootstrap: CONVERSING_RUNTIME }, { Timeout: 60, MemorySize: 512 });
  const layer = await target.publishLayer('hostile', { 'extensions/hostile': CONVERSING_EXTENSION });
  const settings = { Timeout: 60, MemorySize: 512, Layers: [layer] };
  await target.createFunction('extended', { bootstrap: CONVERSING_RUNTIME }, settings);
  await target.invoke('neighbor');
  await target.measure();
});
afterAll(() => target?.close());

describe('conversations with the APIs of an environment', () => {
  it('get documented responses, in the order of the requests', { timeout: 3_600_000 }, async () => {
    const seed = seedOf(20_261_211);
    const random = randomFrom(seed);
    let requests = 0;
    const total = cases(12);
    for (let count = 0; count < total; count += 1) {
      const FunctionName = random.pick(['plain', 'extended']);
      const SEED = String(random.below(2 ** 31));
      const ENDING = random.pick(['none', 'none', 'none', 'none', 'init-error', 'extension-exit']);
      const Environment = { Variables: { SEED, ENDING } };
      await target.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment }));
      const what = JSON.stringify({ seed, count, FunctionName, SEED, ENDING });
      for (let times = 0; times < 3; times += 1) {
        const { payload, functionError, log } = await target.invoke(FunctionName, { count }, { LogType: 'Tail' });
        target.expectNoSecret(payload);
        expect(log, what).not.toContain('WRONG');
        if (ENDING !== 'none') continue;
        expect([functionError, payload.slice(0, 500), log.slice(-1000)], what).toEqual([
          undefined,
          expect.stringContaining('"wrong": []'),
          expect.anything(),
        ]);
        if (times === 2) requests += (JSON.parse(payload) as { sent: number }).sent;
      }
      expect((await target.invoke('neighbor', { count })).payload).toBe(JSON.stringify({ count }));
      if (count % 20 === 0) await target.expectResponsive();
    }
    if (process.env.LAMELLA_ATTACK_SCALE !== undefined) console.log(`${total} conversations, ${requests} requests`);
    await target.expectUnharmed();
  });
});
