/** Asynchronous invocations through the whole service: retries, age, throttles, destinations, crashes. */
import { randomUUID } from 'node:crypto';
import {
  GetFunctionConfigurationCommand,
  InvokeAsyncCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, LISTENING_RUNTIME, type Listener, listenForEvents } from '../support/event-listener.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const ACCOUNT_ARN = 'arn:aws:lambda:us-east-1:123456789012:function';

let service: RunningService;
let listener: Listener;

beforeAll(async () => {
  service = await startService();
  listener = await listenForEvents();
  await service.createFunction('tells', { bootstrap: LISTENING_RUNTIME }, tellsTo('tells'));
});
afterAll(async () => {
  await service.close();
  await listener.close();
});

/** A function of that name posts each event it gets to the listener, which says what to answer. */
function tellsTo(name: string) {
  return { Environment: { Variables: { LISTENER: `${listener.url}/${name}` } } };
}

async function send(FunctionName: string, event: unknown, more: { Qualifier?: string } = {}): Promise<string> {
  const answer = await service.client.send(
    new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload: JSON.stringify(event), ...more }),
  );
  expect([answer.StatusCode, answer.Payload?.length ?? 0, answer.FunctionError, answer.ExecutedVersion]).toEqual([
    202,
    0,
    undefined,
    undefined,
  ]);
  return answer.$metadata.requestId ?? '';
}

const NOTHING = { waiting: 0, running: 0, delayed: 0 };

async function pending(name: string): Promise<unknown> {
  return (await fetch(`${service.url}/_lamella/async/${name}`)).json();
}

function pass(seconds: number): void {
  service.lamella.clock.advance(seconds * 1000);
}

describe('an event', () => {
  it('is acknowledged with the request id under which it runs, and with nothing else', async () => {
    const name = 'runs-later';
    await service.createFunction(name, { bootstrap: LISTENING_RUNTIME }, tellsTo(name));
    const id = await send(name, { a: 'ü' });
    expect(await listener.next(name)).toMatchObject({ requestId: id, event: { a: 'ü' } });
  });

  it('without a payload is {}', async () => {
    const answer = await service.client.send(new InvokeCommand({ FunctionName: 'tells', InvocationType: 'Event' }));
    expect(await listener.next('tells')).toMatchObject({ requestId: answer.$metadata.requestId, event: {} });
  });

  it('can be sent with the deprecated operation too', async () => {
    const answer = await service.client.send(
      new InvokeAsyncCommand({ FunctionName: 'tells', InvokeArgs: Buffer.from('{"old": true}') }),
    );
    expect(answer.Status).toBe(202);
    expect((await listener.next('tells')).event).toEqual({ old: true });
  });

  it('is refused when it is no JSON, larger than 1 MiB, or for nobody', async () => {
    const refused = (FunctionName: string, Payload: string) =>
      service.client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload })).then(
        () => expect.unreachable(),
        (error: { name: string; $metadata: { httpStatusCode: number } }) => [
          error.name,
          error.$metadata.httpStatusCode,
        ],
      );
    expect(await refused('tells', 'nonsense')).toEqual(['InvalidRequestContentException', 400]);
    expect(await refused('tells', JSON.stringify('x'.repeat(1_048_575)))).toEqual([
      'RequestEntityTooLargeException',
      413,
    ]);
    expect(await refused('nobody', '{}')).toEqual(['ResourceNotFoundException', 404]);
    expect(listener.waiting('tells')).toBe(0);
  });

  it('is tried three times, after one minute and two, under the same id', async () => {
    const name = 'fails';
    await service.createFunction(name, { bootstrap: LISTENING_RUNTIME }, tellsTo(name));
    listener.answer(name, () => ({ status: 500, body: { errorType: 'Oops', errorMessage: 'no' } }));
    const id = await send(name, { n: 1 });
    expect((await listener.next(name)).requestId).toBe(id);
    await eventually(async () => expect(await pending(name)).toEqual({ waiting: 0, running: 0, delayed: 1 }));
    pass(59);
    expect(listener.waiting(name)).toBe(0);
    pass(1);
    expect((await listener.next(name)).requestId).toBe(id);
    await eventually(async () => expect(await pending(name)).toEqual({ waiting: 0, running: 0, delayed: 1 }));
    pass(119);
    expect(listener.waiting(name)).toBe(0);
    pass(1);
    expect((await listener.next(name)).requestId).toBe(id);
    await eventually(async () => expect(await pending(name)).toEqual(NOTHING));
    pass(3600);
    expect(listener.waiting(name)).toBe(0);
  });
});
void [
  randomUUID,
  GetFunctionConfigurationCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  ACCOUNT_ARN,
  shellRuntime,
];
