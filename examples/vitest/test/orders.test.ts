import { LamellaError } from 'lamella';
import { lamellaTest } from 'lamella/vitest';
import { describe, expect } from 'vitest';

const test = lamellaTest({
  prepare: (lamella) =>
    lamella.functions.put({
      name: 'orders',
      directory: 'src',
      handler: 'orders.handler',
      runtime: 'nodejs20.x',
    }),
});

type Result = { batchItemFailures: { itemIdentifier: string }[] };

describe('orders', () => {
  test('are counted, and those without an ID are retried', async ({ lamella }) => {
    const { payload } = await lamella.invoke<Result>('orders', {
      Records: [
        { messageId: 'a', body: '{"id":1}' },
        { messageId: 'b', body: '{}' },
      ],
    });
    expect(payload.batchItemFailures).toEqual([{ itemIdentifier: 'b' }]);
    const log = await lamella.logs('orders', { filter: '"order 1"' });
    expect(log).toHaveLength(1);
  });

  test('start each test with an empty log', async ({ lamella }) => {
    expect(await lamella.logs('orders')).toEqual([]);
    const { functionError, payload } = await lamella.invoke('orders', { Records: [{ messageId: 'a', body: 'x' }] });
    expect(functionError).toBe('Unhandled');
    expect(payload).toMatchObject({ errorType: 'SyntaxError' });
  });

  test('are in a function that can be removed', async ({ lamella }) => {
    await lamella.functions.remove('orders');
    const refused = await lamella.invoke('orders', {}).catch((failure: unknown) => failure);
    expect(refused).toBeInstanceOf(LamellaError);
    expect(refused).toMatchObject({ name: 'ResourceNotFoundException' });
  });
});
