import { describe, expect, it } from 'vitest';
import type { Environment } from '../environment/environment.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { createDispatcher } from './dispatcher.ts';

const SCOPE = { region: 'us-east-1', account: '123456789012' };
const INVOCATION = {} as Invocation;
const RETURNED = { kind: 'returned', payload: Buffer.from('1') } as unknown as Outcome;

function version(name: string, number = '$LATEST'): FunctionVersion {
  return {
    scope: SCOPE,
    name,
    version: number,
    revisionId: 'a',
    configuration: { stored: {} },
  } as unknown as FunctionVersion;
}

/** A pool whose environments respond immediately and stay in use until `release`. */
function createWorld(limits: { account?: number; reserved?: Record<string, number>; provisioned?: string } = {}) {
  const inUse: ((state: 'reusable' | 'gone') => void)[] = [];
  const fate: Environment[][] = [[], []];
  const world = {
    run: (): void => undefined,
    acquire: (): void => undefined,
    acquireSettling: async (): Promise<Environment | undefined> => undefined,
  };
  const dispatcher = createDispatcher({
    pool: {
      async acquire() {
        world.acquire();
        const environment = {
          run() {
            world.run();
            const released = new Promise<'reusable' | 'gone'>((resolve) => inUse.push(resolve));
            return { outcome: Promise.resolve(RETURNED), released };
          },
        };
        return environment as unknown as Environment;
      },
      acquireSettling: () => world.acquireSettling(),
      release: (environment) => fate[0]?.push(environment),
      discard: (environment) => fate[1]?.push(environment),
    },
    limitsOf: ({ name, version: number }) => ({
      account: limits.account ?? 2,
      reserved: limits.reserved?.[name],
      provisioned: limits.provisioned === `${name}:${number}` ? 1 : 0,
    }),
  });
  const invoke = async (name: string, number?: string) => {
    const outcome = await dispatcher.invoke(version(name, number), INVOCATION);
    return outcome.kind === 'throttled' ? outcome.reason : outcome.kind;
  };
  const release = async (state: 'reusable' | 'gone' = 'reusable') => {
    for (const end of inUse.splice(0)) end(state);
    await Promise.resolve();
  };
  return { world, invoke, release, released: fate[0] ?? [], discarded: fate[1] ?? [] };
}

describe('the dispatcher', () => {
  it('counts an invocation until its environment is free, then releases the environment', async () => {
    const { invoke, release, released } = createWorld({ account: 1 });
    expect(await invoke('f')).toBe('returned');
    expect(await invoke('g')).toBe('ConcurrentInvocationLimitExceeded');
    await release();
    expect(released).toHaveLength(1);
    expect(await invoke('g')).toBe('returned');
  });

  it('waits for an environment that has responded and is about to be free before it throttles', async () => {
    const { world, invoke, release, released } = createWorld({ account: 1 });
    world.acquireSettling = async () => {
      await release();
      return released[0];
    };
    expect([await invoke('f'), await invoke('f')]).toEqual(['returned', 'returned']);
  });

  it('releases an environment that became free too late for its caller', async () => {
    const { world, invoke, release, released } = createWorld({ account: 1 });
    await invoke('f');
    world.acquireSettling = async () => {
      await release();
      world.acquireSettling = async () => undefined;
      await invoke('g');
      return released[0];
    };
    expect(await invoke('f')).toBe('ConcurrentInvocationLimitExceeded');
    expect(released).toHaveLength(2);
  });

  it('does not count an invocation whose environment could not be opened', async () => {
    const { world, invoke, discarded } = createWorld({ account: 1 });
    world.acquire = () => {
      throw new Error('no room');
    };
    await expect(invoke('f')).rejects.toThrow('no room');
    world.acquire = () => undefined;
    expect(await invoke('f')).toBe('returned');
    expect(discarded).toEqual([]);
  });

  it('does not count an invocation that could not start, and closes its environment', async () => {
    const { world, invoke, discarded } = createWorld({ account: 1 });
    world.run = () => {
      throw new Error('not free');
    };
    await expect(invoke('f')).rejects.toThrow('not free');
    expect(discarded).toHaveLength(1);
    world.run = () => undefined;
    expect(await invoke('f')).toBe('returned');
  });

  it('does not count reserved or provisioned invocations against the account', async () => {
    const { invoke } = createWorld({ account: 1, reserved: { kept: 1 }, provisioned: 'ready:1' });
    expect(await invoke('kept')).toBe('returned');
    expect(await invoke('ready', '1')).toBe('returned');
    expect(await invoke('other')).toBe('returned');
    expect(await invoke('kept')).toBe('ReservedFunctionConcurrentInvocationLimitExceeded');
  });

  it('keeps provisioned concurrency for its version, and lets the version exceed it', async () => {
    const { invoke, release } = createWorld({ account: 1, provisioned: 'f:1' });
    expect(await invoke('f')).toBe('returned');
    expect(await invoke('f')).toBe('ConcurrentInvocationLimitExceeded');
    expect(await invoke('f', '1')).toBe('returned');
    expect(await invoke('f', '1')).toBe('ConcurrentInvocationLimitExceeded');
    await release('gone');
    expect([await invoke('f', '1'), await invoke('f', '1')]).toEqual(['returned', 'returned']);
  });
});
