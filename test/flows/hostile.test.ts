/**
 * Functions that attack their environment. Each fails only its own invocation, with AWS's message. Its next one has new processes,
 * and another function is not affected.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { descendantsOf, processesWith, stillAlive } from '../support/processes.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;

/** Other test files have functions that sleep too. */
const SLEEP = `sleep 1000.${process.pid}`;

beforeAll(async () => {
  service = await startService();
  await service.createFunction('neighbor', { bootstrap: shellRuntime('respond $$') });
});
afterAll(() => service.close());

const TIMED_OUT =
  /^\{"errorType":"Sandbox\.Timedout","errorMessage":"RequestId: \S+ Error: Task timed out after 2\.00 seconds"\}$/;
const exited = (how: string) =>
  new RegExp(`^{"errorType":"Runtime.ExitError","errorMessage":"RequestId: \\S+ Error: Runtime exited ${how}"}$`);
const python = (code: string) => `python3 -c '${code}'`;

const ATTACKS: readonly [string, string, RegExp][] = [
  ['stops itself', 'kill -STOP $$', TIMED_OUT],
  ['stops its whole group', 'kill -STOP 0', TIMED_OUT],
  ['closes every descriptor and waits', 'exec 0<&- 1>&- 2>&- 3<&- 4<&- 5<&-; while :; do :; done', TIMED_OUT],
  ['bombs with forks', 'b() { b | b & b; }; (b) & while :; do :; done', TIMED_OUT],
  ['ignores what can be ignored', `trap "" TERM INT HUP QUIT PIPE; ${SLEEP}`, TIMED_OUT],
  // This spares only itself.
  ['kills all that it can', `kill -9 -1; ${SLEEP}`, TIMED_OUT],
  ['kills its parent', `kill -9 "$(cut -d" " -f4 /proc/$$/stat)"; ${SLEEP}`, exited('with error: signal: killed')],
  [
    'leaves a daemon that holds its output',
    `(setsid sh -c "trap '' TERM HUP; (${SLEEP} & ${SLEEP}) &" &); exit 0`,
    exited('without providing a reason'),
  ],
  [
    'leaves threads that spin',
    `exec ${python('import os,threading\nfor i in range(4): threading.Thread(target=lambda: all(x == 0 for x in iter(int, 1))).start()')}`,
    TIMED_OUT,
  ],
];

describe.concurrent('a function that', () => {
  it.each(ATTACKS)('%s fails its invocation, and its next one works', async (what, attack, payload) => {
    const name = what.replaceAll(' ', '-');
    const bootstrap = shellRuntime(`[ "$EVENT" = '"worst"' ] && { ${attack}; }; respond $$`);
    await service.createFunction(name, { bootstrap }, { Timeout: 2, MemorySize: 512 });
    expect((await service.invoke(name)).functionError).toBeUndefined();
    const neighbor = await service.invoke('neighbor');
    const worst = await service.invoke(name, '"worst"');
    expect(worst.payload).toMatch(payload);
    const again = await service.invoke(name);
    expect([again.functionError, again.payload]).toEqual([undefined, expect.stringMatching(/^\d+$/)]);
    expect(again.log).not.toContain('Init Duration');
    expect((await service.invoke('neighbor')).functionError).toBeUndefined();
    expect(neighbor.functionError).toBeUndefined();
  });
});

it('functions that flood their logs with empty lines do not hold up another one', async () => {
  const flood = python('import os\nwhile True: os.write(1, b"\\n" * 65536)');
  const bootstrap = shellRuntime(flood);
  const names = ['flood-1', 'flood-2', 'flood-3'];
  for (const name of names) await service.createFunction(name, { bootstrap }, { Timeout: 3 });
  const median = async () => {
    const times: number[] = [];
    for (let call = 0; call < 9; call++) {
      const startedAt = performance.now();
      await service.invoke('neighbor');
      times.push(performance.now() - startedAt);
    }
    return times.sort((a, b) => a - b)[4] ?? 0;
  };
  await service.invoke('neighbor');
  const alone = await median();
  const floods = names.map((name) => service.invoke(name, {}, { LogType: 'None' }));
  await median(); // The floods start meanwhile.
  const beside = await median();
  for (const { payload } of await Promise.all(floods)) expect(payload).toContain('Sandbox.Timedout');
  expect(beside / alone).toBeLessThan(10);
});

it('a timeout after a child was killed for memory does not affect the reason of the next failure', async () => {
  const hungry = python('held = bytearray(400 << 20); held[::4096] = b"1" * len(held[::4096])');
  const bootstrap = shellRuntime(`case "$EVENT" in *hungry*) ${hungry}; ${SLEEP};; *exit*) exit 7;; esac; respond 1`);
  await service.createFunction('forgets', { bootstrap }, { Timeout: 3, MemorySize: 256 });
  await service.invoke('forgets');
  expect((await service.invoke('forgets', '"hungry"')).payload).toContain('Sandbox.Timedout');
  expect((await service.invoke('forgets', '"exit"')).payload).toMatch(exited('with error: exit status 7'));
});

it('no process of them is left when the service ends', async () => {
  const own = descendantsOf(process.pid);
  await service.close();
  await expect.poll(() => stillAlive(own), { timeout: 10_000 }).toEqual([]);
  expect(processesWith(SLEEP)).toEqual([]);
});
