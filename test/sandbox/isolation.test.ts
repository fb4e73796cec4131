/** What a process in a sandbox can see and change. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, descendants, forgetBundle, PATH, startSandboxService } from './sandbox-service.ts';

afterAll(forgetBundle);

const isRoot = process.getuid?.() === 0;

describe.each(accounts())('a function of a service that is $name', (account) => {
  let service: SandboxService;
  let sandbox: number;
  let task: string;

  beforeAll(async () => {
    service = await startSandboxService(account);
    const spec = await service.spec();
    task = spec.mounts[0]?.source ?? '';
    await writeFile(join(task, 'handler'), 'code');
    await chmod(join(task, 'handler'), 0o644);
    sandbox = await service.open(spec);
  });
  afterAll(async () => service.end());

  const sh = async (command: string): Promise<string> => (await service.sh(sandbox, command)).output;

  it('sees its own code and layers, and an empty /tmp', async () => {
    expect(await sh('cat handler; echo; ls -A /opt; ls -A /tmp; ls -d /opt /tmp /var/task')).toBe(
      'code\n/opt\n/tmp\n/var/task\n',
    );
  });

  it('sees only program and kernel directories in the root', async () => {
    const names = (await sh('ls -A /')).trim().split('\n');
    const allowed = /^(bin|sbin|lib|lib32|lib64|libx32|usr|etc|dev|proc|var|opt|tmp)$/;
    expect(names.filter((name) => !allowed.test(name))).toEqual([]);
    expect(await sh('ls -A /var')).toBe('task\n');
  });

  it('cannot see home directories, the host’s /tmp or the service’s data', async () => {
    const secret = await mkdtemp(join(tmpdir(), 'lamella-secret-'));
    await chmod(secret, 0o755);
    await writeFile(join(secret, 'file'), 'secret');
    const targets = [
      homedir(),
      '/root',
      '/home',
      secret,
      service.directory,
      '/etc/shadow',
      '/sys',
      '/run',
      '/srv',
      '/mnt',
    ];
    const { output } = await service.sh(
      sandbox,
      `for path in ${targets.join(' ')}; do ls -d $path 2>/dev/null; done; :`,
    );
    expect(output).toBe('');
    await rm(secret, { recursive: true });
  });

  it('cannot see another function’s files', async () => {
    const spec = await service.spec();
    await writeFile(join(spec.mounts[0]?.source ?? '', 'theirs'), 'theirs');
    const other = await service.open(spec);
    await service.sh(other, 'echo secret >/tmp/their-secret');
    expect(await sh('ls -A /tmp; find / -name "their*" -not -path "/proc/*" -not -path "/usr/*" 2>/dev/null')).toBe('');
    await service.close(other);
  });

  it('sees only its own processes, and no secrets of others', async () => {
    const { output } = await service.sh(
      sandbox,
      'for d in /proc/[0-9]*; do tr "\\0" " " <$d/cmdline; tr "\\0" " " <$d/environ; echo; done 2>/dev/null',
    );
    expect(output).not.toContain('SECRET_OF_THE_SERVICE');
    expect(output).not.toContain(service.directory);
    expect(output).not.toContain('node');
  });

  it('has environment variables that no other user of the host can read', async () => {
    const process = await service.start(sandbox, {
      argv: ['/bin/sh', '-c', 'echo up; exec sleep 1000'],
      environment: { PATH, DB_PASSWORD: 'very-secret' },
    });
    await service.outputHas(process, 'up');
    for (const pid of await descendants(service.pid)) {
      expect(await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')).not.toContain('very-secret');
    }
    await service.signal(process, 'SIGKILL');
    await service.exited(process);
  });

  it('can write only to /tmp', async () => {
    const directories = ['/', '/etc', '/usr', '/usr/bin', '/opt', '/var', '/var/task', '/dev', '/etc/ssl/certs'];
    const { output } = await service.sh(
      sandbox,
      `for d in ${directories.join(' ')}; do { echo x >$d/new; } 2>/dev/null && echo "wrote to $d"; done; ` +
        'for f in /etc/hosts /etc/resolv.conf /var/task/handler; do { echo x >>$f; } 2>/dev/null && echo "changed $f"; done; ' +
        'echo y >/tmp/new && cat /tmp/new',
    );
    expect(output).toBe('y\n');
  });

  it('cannot change kernel settings', async () => {
    const { exit } = await service.sh(sandbox, 'echo x >/proc/sys/kernel/hostname');
    expect(exit).not.toEqual({ kind: 'exited', code: 0 });
  });

  it('has the devices that programs expect', async () => {
    const { output } = await service.sh(
      sandbox,
      'echo x >/dev/null && head -c 4 /dev/urandom | wc -c; head -c 3 /dev/zero | wc -c; { echo x >/dev/full; } 2>/dev/null || echo full; ls /dev',
    );
    expect(output).toBe('4\n3\nfull\nfd\nfull\nnull\nrandom\nstderr\nstdin\nstdout\nurandom\nzero\n');
  });

  it('resolves names like the host, and the additional names of the spec', async () => {
    const hosts = await sh('cat /etc/hosts');
    expect(hosts).toMatch(/^127\.0\.0\.1 localhost\b/m);
    expect(hosts).toMatch(/^127\.8\.7\.6 sandbox\.localdomain sandbox$/m);
    expect(await sh('cat /etc/resolv.conf')).toBe(await readFile('/etc/resolv.conf', 'utf8'));
    for (const name of ['sandbox.localdomain', 'sandbox']) {
      expect(await sh(`getent ahostsv4 ${name} | cut -d' ' -f1 | sort -u`)).toBe('127.8.7.6\n');
    }
  });

  it.each(['/etc/pki/tls/certs/ca-bundle.crt', '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem'])(
    'finds certificates at Amazon Linux’s %s',
    async (path) => {
      expect(await sh(`grep -c "BEGIN CERTIFICATE" ${path}`)).toMatch(/^[1-9]\d+\n$/);
    },
  );

  it('finds certificates at the host’s paths', async () => {
    const { exit } = await service.sh(sandbox, 'ls /etc/ssl/certs/*.0 && cat /etc/ssl/certs/*.0 >/dev/null');
    expect(exit).toEqual({ kind: 'exited', code: 0 });
  });

  it('can run programs that the host links through /etc/alternatives', async () => {
    const { exit } = await service.sh(
      sandbox,
      'test -z "$(find /etc/alternatives -type l | head -1)" || awk "BEGIN { exit 0 }"',
    );
    expect(exit).toEqual({ kind: 'exited', code: 0 });
  });

  it('uses UTC, and cannot see the host’s name', async () => {
    expect(await sh('date +%Z; uname -n')).toBe('UTC\nsandbox\n');
  });

  // Without root, the package belongs to the same user that runs the function.
  it.runIf(isRoot)('cannot read a file of its package that only root may read', async () => {
    await writeFile(join(task, 'private'), 'secret', { mode: 0o600 });
    const { output, exit } = await service.sh(sandbox, 'cat /var/task/private');
    expect(output).not.toContain('secret');
    expect(exit).toEqual({ kind: 'exited', code: 1 });
  });

  it('cannot exceed the limit on processes', async () => {
    const limited = await service.openOne({ limits: { openFiles: 1024, processes: 20 } });
    const { output } = await service.sh(
      limited,
      'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 1000 >/dev/null 2>&1 & done; echo all',
    );
    expect(output).toMatch(/fork|Resource temporarily unavailable/);
    await service.close(limited);
  });

  it('cannot escape a kill with a fork bomb', async () => {
    const bombed = await service.openOne({ limits: { openFiles: 1024, processes: 100 } });
    const bomb = await service.startSh(bombed, 'bomb() { bomb | bomb & bomb; }; echo lit; bomb 2>/dev/null');
    await service.outputHas(bomb, 'lit');
    await service.killAll(bombed);
    await service.exited(bomb); // It was killed, or it failed because of the limit on processes.
    expect((await service.sh(bombed, 'ls -d /proc/[0-9]* | wc -l')).output.trim()).toMatch(/^[1-6]$/);
    await service.close(bombed);
  });

  it('cannot kill processes outside its sandbox', async () => {
    const doomed = await service.openOne();
    await service.sh(doomed, 'kill -KILL -1; sleep 0');
    expect((await service.sh(sandbox, 'echo alive')).output).toBe('alive\n');
    await service.killAll(doomed);
    expect((await service.sh(doomed, 'echo usable')).output).toBe('usable\n');
    await service.close(doomed);
  });

  it('shares the host’s network', async () => {
    const { output } = await service.sh(sandbox, 'cut -d: -f1 -s /proc/net/dev | tr -d " " | sort');
    const host = (await readFile('/proc/net/dev', 'utf8')).match(/^ *[^ :|]+(?=:)/gm) ?? [];
    expect(output.trim().split('\n')).toEqual(host.map((name) => name.trim()).sort());
  });

  it('has empty directories where nothing is mounted', async () => {
    const bare = await service.openOne({ mounts: [], workingDirectory: '/' });
    const { output } = await service.sh(
      bare,
      'ls -A /opt /var/task /tmp; { echo x >/opt/new; } 2>/dev/null || echo no',
    );
    expect(output).toBe('/opt:\n\n/tmp:\n\n/var/task:\nno\n');
    await service.close(bare);
  });

  it('sees mounts of directories and files at any path', async () => {
    const spec = await service.spec();
    const directory = await service.createDirectory('extra/deep');
    await mkdir(join(directory, 'inner'));
    await chmod(join(directory, 'inner'), 0o755);
    await writeFile(join(directory, 'note'), 'hello');
    await chmod(join(directory, 'note'), 0o644);
    const mounts = [
      ...spec.mounts,
      { source: directory, target: '/mnt/files', access: 'read-only' },
      { source: join(directory, 'note'), target: '/var/note', access: 'read-only' },
    ] as const;
    const mounted = await service.open({ ...spec, mounts });
    expect((await service.sh(mounted, 'cat /mnt/files/note /var/note; ls /mnt/files')).output).toBe(
      'hellohelloinner\nnote\n',
    );
    await service.close(mounted);
  });
});
