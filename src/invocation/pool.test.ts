import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Environment } from '../environment/environment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { silentLog } from '../log.ts';
import { EnvironmentPool } from './pool.ts';

/** An environment as the pool sees it; the test moves it. */
class ScriptedEnvironment implements Environment {
  readonly version: FunctionVersion;
  isFree = true;
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
  it('uses a warm environment again, the last used one first', async () => {
    const { pool, opened } = createPool();
    const first = await pool.acquire(version('a'));
    const second = await pool.acquire(version('a'));
    pool.giveBack(first);
    pool.giveBack(second);
    expect(await pool.acquire(version('a'))).toBe(second);
    expect(opened).toHaveLength(2);
  });

  it('never gives one environment to two callers', async () => {
    const { pool } = createPool();
    const taken = await Promise.all(Array.from({ length: 50 }, () => pool.acquire(version('a'))));
    expect(new Set(taken).size).toBe(50);
  });

  it('passes over an idle environment whose processes ended, until it is free again', async () => {
    const { pool } = createPool();
    const ended = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    pool.giveBack(ended);
    ended.isFree = false;
    expect(await pool.acquire(version('a'))).not.toBe(ended);
    ended.isFree = true;
    expect(await pool.acquire(version('a'))).toBe(ended);
  });

  it('waits for an environment that has answered already, rather than opening another', async () => {
    const { pool, opened } = createPool();
    const first = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    first.isSettling = true;
    const second = pool.acquire(version('a'));
    first.isSettling = false;
    pool.giveBack(first);
    expect(await second).toBe(first);
    expect(opened).toHaveLength(1);
  });

  it('waits only some milliseconds for it', async () => {
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
    pool.giveBack(idle);
    current.revisionId = 'b';
    pool.retireOutdated();
    expect([idle.isClosed, busy.isClosed]).toEqual([true, false]);
    pool.giveBack(busy);
    expect(busy.isClosed).toBe(true);
    expect(await pool.acquire(version('b'))).not.toBe(busy);
  });

  it('ends what has been idle for the configured time, and nothing else', async () => {
    const { pool, clock } = createPool();
    const first = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    const second = (await pool.acquire(version('a'))) as ScriptedEnvironment;
    pool.giveBack(first);
    clock.advance(400_000);
    pool.giveBack(second);
    clock.advance(250_000);
    expect([first.isClosed, second.isClosed]).toEqual([true, false]);
    clock.advance(600_000);
    expect(second.isClosed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('keeps nothing of a revision whose environment could not be opened', async () => {
    const { pool } = createPool(() => {
      throw new Error('no room');
    });
    await expect(pool.acquire(version('a'))).rejects.toThrow('no room');
    expect(pool.revisionCount).toBe(0);
  });

  it('ends idle environments when it drains, and busy ones as they are given back', async () => {
    const { pool, opened } = createPool();
    const busy = await pool.acquire(version('a'));
    pool.giveBack(await pool.acquire(version('a')));
    pool.drain();
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([false, true]);
    pool.giveBack(busy);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });

  it('ends every environment when it closes, busy ones too, and opens no more', async () => {
    const { pool, opened } = createPool();
    pool.giveBack(await pool.acquire(version('a')));
    await pool.acquire(version('a'));
    await pool.acquire(version('a'));
    await pool.close();
    expect(opened.every((environment) => environment.isClosed)).toBe(true);
    await expect(pool.acquire(version('a'))).rejects.toThrow('shutting down');
  });
});

describe('provisioned concurrency', () => {
  it('keeps so many environments initialized, used first and never idle for too long', async () => {
    const { pool, opened, clock } = createPool();
    pool.provision(version('a'), 2);
    expect(pool.provisionedStatus(version('a')).status).toBe('IN_PROGRESS');
    await expect.poll(() => pool.provisionedStatus(version('a'))).toEqual({ allocated: 2, status: 'READY' });
    expect(opened).toHaveLength(2);
    const taken = await Promise.all([1, 2, 3].map(() => pool.acquire(version('a'))));
    expect(opened).toHaveLength(3);
    for (const environment of taken) pool.giveBack(environment);
    clock.advance(2_000_000);
    expect(opened.map((environment) => environment.isClosed)).toEqual([false, false, true]);
    await pool.close();
  });

  it('replaces one that was lost', async () => {
    const { pool, opened } = createPool();
    pool.provision(version('a'), 1);
    await expect.poll(() => pool.provisionedStatus(version('a')).status).toBe('READY');
    pool.discard(await pool.acquire(version('a')));
    await expect.poll(() => opened.length).toBe(2);
    await expect.poll(() => pool.provisionedStatus(version('a'))).toEqual({ allocated: 1, status: 'READY' });
    await pool.close();
  });

  it('fails when the function does not initialize, and does not try for ever', async () => {
    const { pool, opened } = createPool((environment) => {
      environment.initializesWell = false;
    });
    pool.provision(version('a'), 3);
    await expect.poll(() => pool.provisionedStatus(version('a'))).toEqual({ allocated: 0, status: 'FAILED' });
    await expect.poll(() => opened.every((environment) => environment.isClosed)).toBe(true);
    expect(opened.length).toBeLessThanOrEqual(3);
    await pool.close();
  });

  it('lets go of what is not wanted any more', async () => {
    const { pool, opened, clock } = createPool();
    pool.provision(version('a'), 2);
    await expect.poll(() => pool.provisionedStatus(version('a')).status).toBe('READY');
    pool.provision(version('a'), 0);
    clock.advance(2_000_000);
    await expect.poll(() => opened.every((environment) => environment.isClosed)).toBe(true);
    expect(pool.revisionCount).toBe(0);
  });

  it('keeps nothing of what was never prepared, or failed to be', async () => {
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
