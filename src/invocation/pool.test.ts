import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Environment } from '../environment/environment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { silentLog } from '../log.ts';
import { EnvironmentPool } from './pool.ts';

/** An environment whose state the test sets. */
class ScriptedEnvironment implements Environment {
  readonly version: FunctionVersion;
  isFree = true;
  readonly isGone = false;
  isSettling = false;
  isClosed = false;
  initializesWell = true;

  constructor(version: FunctionVersion) {
    this.version = version;
  }

  async initialize(): Promise<boolean> {
    return this.initializesWell;
  }

  run(): never {
    throw new Error('the pool runs nothing');
  }

  account(): never {
    throw new Error('the pool asks for no accounts');
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function version(revisionId: string): FunctionVersion {
  const scope = { region: 'us-east-1', account: '123456789012' };
  return { scope, name: 'f', version: '$LATEST', revisionId } as unknown as FunctionVersion;
}

function createPool(prepare: (environment: ScriptedEnvironment) => void = () => undefined) {
  const clock = new FakeClock();
  const opened: ScriptedEnvironment[] = [];
  const current = { revisionId: 'a' };
  const pool = new EnvironmentPool({
    open: async (of) => {
      const environment = new ScriptedEnvironment(of);
      prepare(environment);
      opened.push(environment);
      return environment;
    },
    clock,
    log: silentLog,
    idleMs: 600_000,
    isCurrent: (of) => of.revisionId === current.revisionId,
  });
  return { clock, opened, current, pool };
}

describe('the pool', () => {
  it('never gives the environment of one tenant to another, not even to one that waits', async () => {
    const { pool, opened } = createPool();
    const blue = (await pool.acquire(version('a'), 'blue')) as ScriptedEnvironment;
    blue.isSettling = true;
    const green = pool.acquire(version('a'), 'green');
    expect(await pool.acquireSettling(version('a'), 'green')).toBeUndefined();
    pool.release(blue);
    expect(await green).not.toBe(blue);
    expect(await pool.acquire(version('a'))).not.toBe(blue);
    expect(await pool.acquire(version('a'), 'blue')).toBe(blue);
    expect(opened).toHaveLength(3);
  });

  it('reuses the warm environment that was used last', async () => {
    const { pool, opened } = createPool();
    const first = await pool.acquire(version('a'));
    const second = await pool.acquire(version('a'));
    pool.release(first);
    pool.release(second);
    expect(await pool.acquire(version('a'))).toBe(second);
    expect(opened).toHaveLength(2);
  });

  it('never gives one environment to two callers', async () => {
    const { pool } = createPool();
    const taken = await Promise.all(Array.from({ length: 50 }, () => pool.acquire(version('a'))));
    expect(new Set(taken).size).toBe(50);
  });

  it('skips an idle environment whose processes have ended until it is free again', async () => {
    const { pool } = createPool();
    const ended = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    pool.release(ended);
    ended.isFree = false;
    expect(await pool.acquire(version('a'))).not.toBe(ended);
    ended.isFree = true;
    expect(await pool.acquire(version('a'))).toBe(ended);
  });

  it('waits for an environment that has responded instead of opening another one', async () => {
    const { pool, opened } = createPool();
    const first = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    first.isSettling = true;
    const second = pool.acquire(version('a'));
    first.isSettling = false;
    pool.release(first);
    expect(await second).toBe(first);
    expect(opened).toHaveLength(1);
  });

  it('opens another environment after waiting 10 ms', async () => {
    const { pool, opened, clock } = createPool();
    const first = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    first.isSettling = true;
    const second = pool.acquire(version('a'));
    clock.advance(10);
    expect(await second).not.toBe(first);
    expect(opened).toHaveLength(2);
  });

  it('never uses an environment of a past revision', async () => {
    const { pool, current } = createPool();
    const idle = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    const busy = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    pool.release(idle);
    current.revisionId = 'b';
    pool.retireOutdated();
    expect([idle.isClosed, busy.isClosed]).toEqual([true, false]);
    pool.release(busy);
    expect(busy.isClosed).toBe(true);
    expect(await pool.acquire(version('b'))).not.toBe(busy);
  });

  it('closes environments that have been idle for the configured time, and no others', async () => {
    const { pool, clock } = createPool();
    const first = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    const second = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    pool.release(first);
    clock.advance(400_000);
    pool.release(second);
    clock.advance(250_000);
    expect([first.isClosed, second.isClosed]).toEqual([true, false]);
    clock.advance(600_000);
    expect(second.isClosed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('forgets a revision whose environment could not be opened', async () => {
    const { pool } = createPool(() => {
      throw new Error('no room');
    });
    await expect(pool.acquire(version('a'))).rejects.toThrow('no room');
    expect(pool.revisionCount).toBe(0);
  });

  it('closes idle environments when it drains, and busy ones when they are released', async () => {
    const { pool, opened } = createPool();
    const busy = await pool.acquire(version('a'));
    pool.release(await pool.acquire(version('a')));
    pool.drain();
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([false, true]);
    pool.release(busy);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });

  it('closes all environments when it closes, including busy ones, and opens no more', async () => {
    const { pool, opened } = createPool();
    pool.release(await pool.acquire(version('a')));
    await pool.acquire(version('a'));
    await pool.acquire(version('a'));
    await pool.close();
    expect(opened.every((environment) => environment.isClosed)).toBe(true);
    await expect(pool.acquire(version('a'))).rejects.toThrow('shutting down');
  });
});

describe('provisioned concurrency', () => {
  it('keeps the configured number of environments initialized, uses them first and never closes them as idle', async () => {
    const { pool, opened, clock } = createPool();
    pool.provision(version('a'), 2);
    expect(pool.provisionedStatus(version('a')).status).toBe('IN_PROGRESS');
    await expect.poll(() => pool.provisionedStatus(version('a'))).toEqual({ allocated: 2, status: 'READY' });
    expect(opened).toHaveLength(2);
    const taken = await Promise.all([1, 2, 3].map(() => pool.acquire(version('a'))));
    expect(opened).toHaveLength(3);
    for (const environment of taken) pool.release(environment);
    clock.advance(2_000_000);
    expect(opened.map((environment) => environment.isClosed)).toEqual([false, false, true]);
    await pool.close();
  });

  it('replaces an environment that was discarded', async () => {
    const { pool, opened } = createPool();
    pool.provision(version('a'), 1);
    await expect.poll(() => pool.provisionedStatus(version('a')).status).toBe('READY');
    pool.discard(await pool.acquire(version('a')));
    await expect.poll(() => opened.length).toBe(2);
    await expect.poll(() => pool.provisionedStatus(version('a'))).toEqual({ allocated: 1, status: 'READY' });
    await pool.close();
  });

  it('fails when the function does not initialize, and does not keep trying', async () => {
    const { pool, opened } = createPool((environment) => {
      environment.initializesWell = false;
    });
    pool.provision(version('a'), 3);
    await expect.poll(() => pool.provisionedStatus(version('a'))).toEqual({ allocated: 0, status: 'FAILED' });
    await expect.poll(() => opened.every((environment) => environment.isClosed)).toBe(true);
    expect(opened.length).toBeLessThanOrEqual(3);
    await pool.close();
  });

  it('releases environments that are no longer provisioned', async () => {
    const { pool, opened, clock } = createPool();
    pool.provision(version('a'), 2);
    await expect.poll(() => pool.provisionedStatus(version('a')).status).toBe('READY');
    pool.provision(version('a'), 0);
    clock.advance(2_000_000);
    await expect.poll(() => opened.every((environment) => environment.isClosed)).toBe(true);
    expect(pool.revisionCount).toBe(0);
  });

  it('forgets a revision that was never prepared or whose preparation failed', async () => {
    const { pool } = createPool((environment) => {
      environment.initializesWell = false;
    });
    pool.provision(version('a'), 0);
    expect(pool.revisionCount).toBe(0);
    pool.provision(version('b'), 1);
    pool.provision(version('b'), 0);
    await expect.poll(() => pool.revisionCount).toBe(0);
  });
});
