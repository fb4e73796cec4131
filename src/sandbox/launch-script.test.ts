import { describe, expect, it } from 'vitest';
import type { Entrance } from './launch-script.ts';
import { launchScript } from './launch-script.ts';
import type { SandboxTools } from './sandbox-host.ts';

const TOOLS = { nsenter: '/n', setsid: '/s', env: '/e', nice: '/nice' } as SandboxTools;
const ENTRANCE: Entrance = {
  holderProc: '/proc/7/fd/9',
  setUid: 5000,
  limits: { openFiles: 10, processes: 20 },
};

describe('launchScript', () => {
  const lastLine = (argv: [string, ...string[]], environment = {}, entrance = ENTRANCE): string =>
    launchScript({ argv, environment }, entrance, TOOLS).trimEnd().split('\n').at(-1) ?? '';

  it('sets the variables after entering, never before', () => {
    expect(lastLine(['/run'], { LD_PRELOAD: '/x.so' })).toMatch(
      /^exec '\/n' .* '--' '\/s' '\/e' '-i' 'LD_PRELOAD=\/x.so' '\/run'$/,
    );
  });

  it('quotes what a shell would take to be its own', () => {
    const script = launchScript({ argv: ['/run', "it's; $HOME\n`id`"], environment: {} }, ENTRANCE, TOOLS);
    expect(script).toContain(`'it'\\''s; $HOME\n\`id\`'`);
  });

  it('takes the uid as root, and the user namespace otherwise', () => {
    expect(lastLine(['/run'])).toContain("'--setuid=5000' '--setgid=5000'");
    const ordinary = lastLine(['/run'], {}, { ...ENTRANCE, setUid: undefined });
    expect(ordinary).toContain("'--user=/proc/7/fd/9/ns/user' '--preserve-credentials'");
    expect(ordinary).not.toContain('setuid');
  });

  it('keeps env from taking a path for a variable', () => {
    expect(lastLine(['/opt/a=b', 'x=y'])).toMatch(/'-i' '\/nice' '-n' '0' '\/opt\/a=b' 'x=y'$/);
  });

  it('sets no limit on processes where the kernel would count the user’s own too', () => {
    const unlimited = { ...ENTRANCE, limits: { openFiles: 10, processes: undefined } };
    expect(launchScript({ argv: ['/run'], environment: {} }, unlimited, TOOLS)).not.toContain('ulimit -u');
    expect(launchScript({ argv: ['/run'], environment: {} }, ENTRANCE, TOOLS)).toContain('ulimit -u 20');
  });
});
