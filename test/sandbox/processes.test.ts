/** What a process in a sandbox starts with, how its exit is reported, and how it receives signals. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostCapabilities } from '../../src/sandbox/host/host-capabilities.ts';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, forgetBundle, PATH, startSandboxService } from './sandbox-service.ts';

afterAll(forgetBundle);

describe.each(accounts())('a process in a sandbox of a service that is $name', (account) => {
  let service: SandboxService;
  let sandbox: number;

  beforeAll(async () => {
    service = await startSandboxService(account);
    sandbox = await service.openOne();
  });
  afterAll(async () => service.end());

  const run = async (argv: [string, ...string[]], environment: Record<string, string> = {}) =>
    service.finished(await service.start(sandbox, { argv, environment }));

  it('has exactly the environment of its spec, whatever the values contain', async () => {
    const environment = {
      PLAIN: 'value',
      EMPTY: '',
      QUOTES: `it's "quoted" $HOME \`id\` \\ back`,
      LINES: 'one\ntwo\n',
      UTF8: 'grüße 🐘',
      LD_LIBRARY_PATH: '/opt/lib',
      'odd.name-1': 'x',
      OPTIND: 'not a number',
      UID: '5',
      IFS: ',',
      PS1: '$ ',
      PWD: '/elsewhere',
    };
    const { output } = await run(['/usr/bin/env', '-0'], environment);
    expect(Object.fromEntries(output.split('\0').filter(Boolean).map(parseVariable))).toEqual(environment);
  });

  it('has an empty environment if its spec has none', async () => {
    expect((await run(['/usr/bin/env'])).output).toBe('');
  });

  it('never runs a preloaded library of the function outside the sandbox', async () => {
    const { output } = await run(['/usr/bin/env'], { LD_PRELOAD: '/tmp/not-there.so' });
    // Loaded once, by the program itself, and not by setsid or nsenter before it.
    expect(output.match(/not-there\.so' from LD_PRELOAD cannot be preloaded/g)).toHaveLength(1);
  });

  it('has its path as argv[0] and the arguments unchanged', async () => {
    const { output } = await run(['/bin/sh', '-c', 'tr "\\0" "\\n" </proc/$$/cmdline', 'zero', "a b'c", ''], { PATH });
    expect(output).toBe('/bin/sh\n-c\ntr "\\0" "\\n" </proc/$$/cmdline\nzero\na b\'c\n\n');
  });

  it('starts in the working directory', async () => {
    expect((await service.sh(sandbox, 'pwd')).output).toBe('/var/task\n');
  });

  it('can have an equals sign in its path', async () => {
    const spec = await service.spec();
    const script = join(spec.mounts[1]?.source ?? '', 'key=value');
    await writeFile(script, '#!/bin/sh\necho "$0 $A"\n');
    await chmod(script, 0o755);
    const other = await service.open(spec);
    const process = await service.start(other, { argv: ['/opt/key=value'], environment: { A: 'B' } });
    expect((await service.finished(process)).output).toBe('/opt/key=value B\n');
    await service.close(other);
  });

  it('has an empty standard input and only the three standard descriptors', async () => {
    const { output } = await service.sh(sandbox, 'cat; echo end; exec ls /proc/self/fd');
    // The fourth belongs to ls, which reads the directory.
    expect(output).toBe('end\n0\n1\n2\n3\n');
  });

  it('ignores no signal and blocks none', async () => {
    const { output } = await run(['/bin/cat', '/proc/self/status']);
    expect(output).toMatch(/^SigBlk:\t0+$/m);
    expect(output).toMatch(/^SigIgn:\t0+$/m);
  });

  it('has no capabilities and cannot gain privileges', async () => {
    const { output } = await run(['/bin/cat', '/proc/self/status']);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect(output).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
    expect(output).toMatch(/^NoNewPrivs:\t1$/m);
  });

  it('leads its own process group and session', async () => {
    const { output } = await service.sh(sandbox, 'cut -d" " -f1,5,6 /proc/$$/stat');
    const [pid, group, session] = output.trim().split(' ');
    expect([group, session]).toEqual([pid, pid]);
    expect(Number(pid)).toBeGreaterThan(1);
  });

  it('has the limits on open files, processes, locked memory and core dumps of its spec', async () => {
    const { output } = await run(['/bin/cat', '/proc/self/limits']);
    expect(output).toMatch(/^Max open files +1024 +1024 /m);
    expect(output).toMatch(/^Max processes +742 +742 /m);
    expect(output).toMatch(/^Max locked memory +65536 +65536 /m);
    const { host } = (await service.capabilities()) as HostCapabilities;
    const cores = host?.collectsCores ? 0 : 10_737_418_240;
    expect(output).toMatch(new RegExp(`^Max core file size +${cores} +${cores} `, 'm'));
  });

  it('writes a core dump, if any, to its /tmp', async () => {
    const { output, exit } = await service.sh(sandbox, 'cd /tmp; ls; kill -SEGV $$');
    expect([output, exit]).toEqual(['', { kind: 'signaled', signal: 'SIGSEGV' }]);
    const { output: after } = await service.sh(sandbox, 'ls /tmp /var/task; rm -f /tmp/core*');
    expect(after).toMatch(/^\/tmp:\n(core.*\n)?\n\/var\/task:\n$/);
  });

  it('sees itself as sbx_user1051 and is not root', async () => {
    const { output } = await service.sh(sandbox, 'id -un; id -gn; id -u; id -G');
    const [user, group, uid, groups] = output.trim().split('\n');
    expect([user, group]).toEqual(['sbx_user1051', 'sbx_user1051']);
    expect(Number(uid)).toBeGreaterThan(1000);
    expect(groups?.split(' ')).not.toContain('0');
  });

  it('keeps stdout and stderr in the order written', async () => {
    const { output } = await service.sh(sandbox, 'for i in 1 2 3 4; do echo o$i; echo e$i >&2; done');
    expect(output).toBe('o1\ne1\no2\ne2\no3\ne3\no4\ne4\n');
  });

  it('can reopen /dev/stdout and /dev/stderr', async () => {
    const { output } = await service.sh(
      sandbox,
      'echo one >/dev/stdout; echo two >/dev/stderr; echo three >/proc/self/fd/2',
    );
    expect(output).toBe('one\ntwo\nthree\n');
  });

  it('can write to php://stderr', async (context) => {
    const { output: php } = await service.sh(sandbox, 'command -v php || ls /usr/bin/php[0-9]* 2>/dev/null | head -1');
    if (php === '') context.skip('this machine has no PHP');
    const { output } = await run([php.trim(), '-n', '-r', 'file_put_contents("php://stderr", "from php");']);
    expect(output).toBe('from php');
  });

  it('does not lose any of a long output', async () => {
    const { output } = await service.sh(sandbox, 'head -c 3000000 /dev/zero | tr "\\0" x; echo end');
    expect(output.length).toBe(3_000_004);
    expect(output.endsWith('xend\n')).toBe(true);
  });

  it.each([
    ['exit 0', { kind: 'exited', code: 0 }],
    ['exit 137', { kind: 'exited', code: 137 }],
    ['exit 1', { kind: 'exited', code: 1 }],
    ['kill -KILL $$', { kind: 'signaled', signal: 'SIGKILL' }],
    ['kill -TERM $$', { kind: 'signaled', signal: 'SIGTERM' }],
    ['kill -SEGV $$', { kind: 'signaled', signal: 'SIGSEGV' }],
    ['kill -ABRT $$', { kind: 'signaled', signal: 'SIGABRT' }],
  ])('that ends with `%s` is reported as such', async (command, exit) => {
    expect((await service.sh(sandbox, command)).exit).toEqual(exit);
  });

  it('exits independently of its children, which can live on', async () => {
    const process = await service.startSh(sandbox, 'sleep 1000 & exit 5');
    expect(await service.exited(process)).toEqual({ kind: 'exited', code: 5 });
    await service.killAll(sandbox);
    expect((await service.finished(process)).output).toBe('');
  });

  it('exits with code 127 if the program does not exist', async () => {
    const { exit, output } = await run(['/var/task/nothing']);
    expect(exit).toEqual({ kind: 'exited', code: 127 });
    expect(output).toMatch(/\/var\/task\/nothing.*(not found|No such file or directory)/);
  });

  it('receives signals and can handle them', async () => {
    const process = await service.startSh(
      sandbox,
      'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.01; done',
    );
    await service.outputHas(process, 'ready');
    await service.signal(process, 'SIGTERM');
    const { output, exit } = await service.finished(process);
    expect(output).toContain('caught\n');
    expect(exit).toEqual({ kind: 'exited', code: 9 });
  });

  it('dies from an unhandled signal, together with its group', async () => {
    const process = await service.startSh(sandbox, 'sleep 1000 & echo ready; wait');
    await service.outputHas(process, 'ready');
    await service.signal(process, 'SIGTERM');
    // The output ends only when the sleep has exited too.
    expect((await service.finished(process)).exit).toEqual({ kind: 'signaled', signal: 'SIGTERM' });
  });

  it('reaches only its own group with kill 0', async () => {
    const { output, exit } = await service.sh(sandbox, 'trap "echo caught" TERM; kill -TERM 0; echo after; exit 4');
    expect({ output, exit }).toEqual({ output: 'caught\nafter\n', exit: { kind: 'exited', code: 4 } });
  });

  it('can be killed while it is stopped', async () => {
    const process = await service.startSh(sandbox, 'echo $$; kill -STOP $$');
    const pid = (await service.outputHas(process, '\n')).trim();
    await service.sh(sandbox, `until grep -q "^State:.T" /proc/${pid}/status; do :; done`);
    await service.signal(process, 'SIGKILL');
    expect((await service.finished(process)).exit).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)('can be killed by %s while it is starting', async (signal) => {
    for (let round = 0; round < 5; round++) {
      const process = await service.startAndSignal(sandbox, { argv: ['/bin/sleep', '1000'], environment: {} }, signal);
      expect((await service.finished(process)).exit).toEqual({ kind: 'signaled', signal });
    }
  });

  it('runs in the same namespaces as others', async () => {
    const first = await service.startSh(sandbox, 'echo $$; exec sleep 1000');
    const pid = (await service.outputHas(first, '\n')).trim();
    const second = await service.sh(sandbox, `kill -KILL ${pid} && echo killed`);
    expect(second.output).toBe('killed\n');
    expect(await service.exited(first)).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
  });
});

function parseVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
