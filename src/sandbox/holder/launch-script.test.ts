import { describe, expect, it } from 'vitest';
import type { SandboxTools } from '../host/sandbox-host.ts';
import type { SandboxSpec } from '../sandbox.ts';
import type { SandboxEntry } from './launch-script.ts';
import { launchLimits, launchScript } from './launch-script.ts';

const TOOLS = {
  nsenter: '/n',
  setsid: '/s',
  sh: '/sh',
  env: '/e',
  nice: '/nice',
  shellAddsVariables: false,
} as SandboxTools;
const ENTRY: SandboxEntry = {
  holderProc: '/proc/7/fd/9',
  network: { kind: 'shared' },
  setUid: 5000,
  limits: { openFiles: 10, processes: 20 },
};

describe('launchScript', () => {
  const script = (argv: [string, ...string[]], environment = {}, entry = ENTRY, tools = TOOLS): string =>
    launchScript({ argv, environment }, entry, tools, '/file');
  const outside = (text: string): string => text.slice(0, text.indexOf('\nfi\n'));
  const inside = (text: string): string => text.slice(text.indexOf('\nfi\n') + 4);

  it('sets variables inside the sandbox only', () => {
    const text = script(['/run'], { LD_PRELOAD: '/x.so' });
    expect(outside(text)).not.toContain('LD_PRELOAD');
    expect(inside(text)).toContain("export LD_PRELOAD='/x.so'\nexec '/run' </dev/null\n");
  });

  it('never passes values as arguments', () => {
    const text = script(['/run'], { DB_PASSWORD: 'secret' });
    expect(text.split('\n').filter((line) => line.includes('secret'))).toEqual(["export DB_PASSWORD='secret'"]);
  });

  it('passes the script itself to the shell inside', () => {
    expect(outside(script(['/run']))).toMatch(/^ *exec '\/n' .* '--' '\/s' '\/sh' <'\/file'$/m);
  });

  it('quotes the special characters of a shell', () => {
    expect(script(['/run', "it's; $HOME\n`id`"])).toContain(`'it'\\''s; $HOME\n\`id\`'`);
  });

  it('sets the uid if the service is root, and enters the user namespace otherwise', () => {
    expect(script(['/run'])).toContain("'--setuid=5000' '--setgid=5000'");
    const ordinary = script(['/run'], {}, { ...ENTRY, setUid: undefined });
    expect(ordinary).toContain("'--user=/proc/7/fd/9/ns/user' '--preserve-credentials'");
    expect(ordinary).not.toContain('setuid');
  });

  it('enters an isolated network and, as an ordinary user, first the parent user namespace that owns it', () => {
    expect(script(['/run'])).not.toContain('ns/net');
    expect(script(['/run'], {}, { ...ENTRY, network: { kind: 'own' } })).toContain("'--net=/proc/7/fd/9/ns/net'");
    const entry = ['/n', '--user=/proc/7/fd/3', '--net=/proc/7/fd/4', '--'];
    const above = script(
      ['/run'],
      {},
      { ...ENTRY, setUid: undefined, network: { kind: 'parent', enterCommand: entry } },
    );
    expect(outside(above)).toContain(
      "exec '/n' '--user=/proc/7/fd/3' '--net=/proc/7/fd/4' '--' '/n' '--mount=/proc/self/fd/3' '--pid=/proc/self/fd/4' ",
    );
    expect(outside(above)).toContain(" 3<'/proc/7/fd/9/ns/mnt' 4<'/proc/7/fd/9/ns/pid' ");
    // Through a directory of the host's /proc, a process could reach the host.
    expect(outside(above)).not.toContain("<'/proc/7/fd/9' ");
    // The function does not inherit the descriptors.
    expect(inside(above)).toContain("exec '/run' </dev/null 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-\n");
  });

  it('lets env set the names that a shell cannot export, and the variables of the loader', () => {
    const text = inside(script(['/opt/a=b', 'x=y'], { 'odd.name': '1', OPTIND: 'x', LD_PRELOAD: '/x.so', PLAIN: '2' }));
    expect(text).toContain("export PLAIN='2'");
    expect(text).toContain(
      "exec '/e' '-u' '_' '-u' 'SHLVL' 'odd.name=1' 'OPTIND=x' 'LD_PRELOAD=/x.so' '/nice' '-n' '0' '/opt/a=b' 'x=y' </dev/null",
    );
  });

  it('removes the variables that bash adds', () => {
    const bash = { ...TOOLS, shellAddsVariables: true };
    expect(inside(script(['/run'], { A: '1' }, ENTRY, bash))).toContain(
      "export A='1'\nexec '/e' '-u' '_' '-u' 'SHLVL' '/run'",
    );
  });

  it('does not limit processes if the kernel would count the user’s other processes too', () => {
    const unlimited = { ...ENTRY, limits: { openFiles: 10, processes: undefined } };
    expect(script(['/run'], {}, unlimited)).not.toContain('ulimit -u');
    expect(script(['/run'])).toContain('ulimit -u 20');
  });

  it('disables core dumps if a program of the host would receive them', () => {
    const spec = { limits: { openFiles: 10, processes: 20, coreBytes: 1024 } } as SandboxSpec;
    const cores = (collectsCores: boolean) => {
      const limits = launchLimits(spec, { countsProcessesApart: true, collectsCores });
      return /ulimit -c \d+/.exec(script(['/run'], {}, { ...ENTRY, limits }))?.[0];
    };
    expect([cores(true), cores(false)]).toEqual(['ulimit -c 0', 'ulimit -c 2']);
  });
});
