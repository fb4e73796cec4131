/**
 * What a function can reach of the machine, of the service and of other functions, through the whole service, run as root and as
 * an ordinary user. Each attempt is a shell command that a function runs.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  InvokeCommand,
  type LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, type ZipFiles, zipOf } from '../support/function-zip.ts';
import { type InstalledLamella, type InstalledService, installLamella } from '../support/installed-lamella.ts';
import { processesWith, statusOf } from '../support/processes.ts';
import { clientOf, ROLE } from '../support/running-service.ts';
import { until } from '../support/until.ts';

/** In every file and variable that must stay secret. */
const SECRET = 'the-secret-of-this-machine';
const ORDINARY_UID = 54_322;
const OWN_UID = process.getuid?.() ?? 0;

/** A function that runs its event as a shell command, and responds with the output. */
const SHELL = shellRuntime(`printf %s "$EVENT" | tr -d '"' | base64 -d > /tmp/command
sh /tmp/command > /tmp/printed 2>&1
curl -sS -o /dev/null -X POST --data-binary @/tmp/printed "$API/invocation/$ID/response"`);

let lamella: InstalledLamella;

beforeAll(async () => {
  lamella = await installLamella();
});
afterAll(() => lamella.remove());

const accounts = [
  { name: 'root', uid: 0 },
  { name: 'an ordinary user', uid: OWN_UID === 0 ? ORDINARY_UID : OWN_UID },
];

describe.each(accounts)('a function of a service that runs as $name', ({ name, uid }) => {
  const isRoot = uid === 0;
  if (isRoot && OWN_UID !== 0) {
    it.skip('is not tested: this run is not root', () => {});
    return;
  }
  let service: InstalledService;
  let client: LambdaClient;
  let home: string;
  let data: string;

  beforeAll(async () => {
    const directory = join(lamella.directory, name.replaceAll(' ', '-'));
    home = join(directory, 'home');
    data = join(directory, 'data');
    for (const path of [directory, home, data]) {
      mkdirSync(path);
      chownSync(path, uid, uid);
    }
    writeFileSync(join(home, 'diary'), SECRET);
    chmodSync(join(home, 'diary'), 0o644);
    await startService();
    await Promise.all([
      createFunction('intruder', { bootstrap: SHELL, private: { content: SECRET, mode: 0o600 }, public: 'public' }),
      createFunction('victim', { bootstrap: SHELL, note: `${SECRET}-of-the-victim` }),
    ]);
  });
  afterAll(async () => {
    client.destroy();
    expect(await service.stop()).toBe(0);
  });

  async function startService(): Promise<void> {
    service = await lamella.start(['--data-dir', data], {
      ...(uid !== OWN_UID && { uid }),
      environment: { HOME: home, SECRET_OF_THE_HOST: SECRET },
    });
    client = clientOf(service.url);
  }

  async function createFunction(FunctionName: string, files: ZipFiles, more: object = {}): Promise<void> {
    await client.send(
      new CreateFunctionCommand({
        FunctionName,
        Runtime: 'provided.al2023',
        Handler: 'h',
        Role: ROLE,
        Code: { ZipFile: await zipOf(files) },
        Timeout: 20,
        ...more,
      }),
    );
    await waitUntilFunctionActiveV2({ client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 }, { FunctionName });
  }

  /** The output of a command in a function, or its error. */
  async function sh(command: string, FunctionName = 'intruder'): Promise<string> {
    const { Payload } = await client.send(
      new InvokeCommand({ FunctionName, Payload: JSON.stringify(Buffer.from(command).toString('base64')) }),
    );
    return Buffer.from(Payload ?? []).toString();
  }

  it('does not run as the service’s user, neither inside nor on the host', async () => {
    expect(await sh('id -un; id -u')).toMatch(/^sbx_user1051\n[1-9]\d+\n$/);
    const mark = `86${Math.floor(Math.random() * 1e9)}`;
    const invocation = sh(`touch /tmp/waits; sh -c 'while [ -e /tmp/waits ]; do sleep 0.05; done' ${mark}`);
    await until(() => processesWith(mark).length > 0);
    const [pid = 0] = processesWith(mark);
    const seenFromHost = statusOf(pid, 'Uid');
    expect(seenFromHost).toBeGreaterThan(0);
    if (!isRoot) expect(seenFromHost).toBe(uid);
    rmSync(`/proc/${pid}/root/tmp/waits`);
    expect(await invocation).toBe('');
  });

  it('finds no secret in any file that it can read, nor in /proc', async () => {
    // So that the pattern does not match itself.
    const pattern = SECRET.replace('the', '[t]he');
    const everywhere = `grep -rsl '${pattern}' / --exclude-dir=proc --exclude-dir=usr`;
    const processes = `cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -a -c '${pattern}'`;
    // As an ordinary user the function shares the service's uid, and may read its own package.
    expect((await sh(`${everywhere}; ${processes}`)).trim()).toBe(isRoot ? '0' : '/var/task/private\n0');
  });

  it('cannot open the home, the data or another function’s files by their names on the host', async () => {
    const trees = readdirSync(join(data, 'trees')).map((digest) => join(data, 'trees', digest));
    const temporary = readdirSync(join(data, 'run'), { recursive: true, encoding: 'utf8' }).map((path) =>
      join(data, 'run', path),
    );
    const places = [
      home,
      join(home, 'diary'),
      data,
      join(data, 'lamella.db'),
      ...trees,
      ...temporary,
      '/root',
      '/home',
    ];
    const spellings = places.flatMap((path) => [
      path,
      `/proc/1/root${path}`,
      `/proc/self/root${path}`,
      `/tmp/../..${path}`,
    ]);
    const opened = await sh(`python3 - <<'END'
import os
for path in ${JSON.stringify(spellings)} + ['/tmp']:
    try:
        os.close(os.open(path, os.O_RDONLY))
        print('opened', path)
    except OSError:
        pass
END`);
    // /tmp proves that the attempts were made.
    expect(opened.trim()).toBe('opened /tmp');
  });

  it('has no variables and no open files of the service', async () => {
    expect(await sh('env')).not.toMatch(/^(SECRET|HOME|USER|LAMELLA|NODE|npm|VITEST|OLDPWD)/m);
    const open = (await sh('for fd in /proc/[0-9]*/fd/*; do readlink "$fd"; done')).trim().split('\n');
    const foreign = open.filter(
      (target) => !/^(pipe|socket|anon_inode):|^\/(dev\/null|tmp\/|var\/task|opt\/|proc\/|usr\/bin\/)/.test(target),
    );
    expect(foreign.filter((target) => !target.includes('/pipes/'))).toEqual([]);
  });

  it('can write only to /tmp', async () => {
    const printed = await sh(
      `for place in / /var /var/task /opt /etc /usr /usr/bin /dev /proc /var/task/note; do
         touch "$place/new" 2>/dev/null && echo "wrote to $place"
       done
       for file in /var/task/bootstrap /var/task/public /etc/hosts /etc/passwd; do
         { echo x >> "$file"; } 2>/dev/null && echo "changed $file"
         chmod 777 "$file" 2>/dev/null && echo "changed the mode of $file"
         rm -f "$file" 2>/dev/null && echo "removed $file"
       done
       mount -t tmpfs none /opt 2>/dev/null && echo mounted
       touch /tmp/new && echo 'wrote to /tmp'`,
    );
    expect(printed).toBe('wrote to /tmp\n');
  });

  it.runIf(isRoot)('cannot read a file of its package that only root may read', async () => {
    expect(await sh('cat /var/task/private; cat /var/task/public')).toBe(
      'cat: /var/task/private: Permission denied\npublic',
    );
  });

  it('cannot reach processes outside its environment', async () => {
    // The shell survives its own kill -1, but the runtime does not. No other process is hit.
    const before = await sh('echo here', 'victim');
    await sh('kill -9 -1; for pid in $(seq 2 400); do kill -9 $pid; done');
    expect(await sh('echo here', 'victim')).toBe(before);
    expect(await sh('echo again')).toBe('again\n');
    expect(await sh('ls -d /proc/[0-9]* | wc -l')).toMatch(/^([1-9]|1[0-9])\n$/);
  });

  it('is rejected by the Runtime APIs of other environments', async () => {
    // Two environments run: the second invocation finds the first busy.
    await Promise.all(['intruder', 'victim'].map((function_) => sh('sleep 0.2', function_)));
    const own = (await sh('echo $AWS_LAMBDA_RUNTIME_API')).trim();
    const victim = (await sh('echo $AWS_LAMBDA_RUNTIME_API', 'victim')).trim();
    expect(victim).not.toBe(own);
    const paths = ['invocation/next', 'invocation/x/response', 'init/error'];
    // The second form reaches the same place through a socket of the other family.
    const hosts = [victim, victim.replace(/^(.*):/, '[::ffff:$1]:')];
    const attempts = hosts.flatMap((host) =>
      paths.map((path) => {
        const method = path.endsWith('next') ? 'GET' : 'POST';
        return `curl -g -s -m 5 -w ' %{http_code}' -X ${method} 'http://${host}/2018-06-01/runtime/${path}'; echo " $?"`;
      }),
    );
    // Rejected or cut off: no response, and no timeout (28).
    for (const line of (await sh(attempts.join('\n'))).trim().split('\n')) expect(line).toMatch(/^ ?000 (7|52|56)$/);
    expect(await sh('echo untouched', 'victim')).toBe('untouched\n');
  });

  it('does not share /tmp with other functions, at the same time or later', async () => {
    const write = (word: string) => `echo ${word} > /tmp/mine; sleep 0.3; cat /tmp/mine; ls /tmp | grep -c mine`;
    expect(await Promise.all([sh(write('one')), sh(write('two')), sh(write('three'), 'victim')])).toEqual([
      'one\n1\n',
      'two\n1\n',
      'three\n1\n',
    ]);
    const modes = await sh('stat -c "%a" /tmp; touch /tmp/x && rm /tmp/x && echo mine');
    expect(modes).toBe('1777\nmine\n');
  });

  it('contains a fork bomb: the invocation fails, and other functions continue', async () => {
    await createFunction('bomb', { bootstrap: SHELL }, { Timeout: 2 });
    const bombing = sh('bomb() { bomb | bomb & }; bomb > /dev/null 2>&1 & while :; do :; done', 'bomb');
    expect(await sh('echo "$((6 * 7))"')).toBe('42\n');
    expect(await bombing).toMatch(/Task timed out after 2\.00 seconds/);
    expect(await sh('echo "$((6 * 7))"', 'bomb')).toBe('42\n');
    const left = (await sh('ls -d /proc/[0-9]* | wc -l', 'bomb')).trim();
    expect(Number(left)).toBeLessThan(20);
  });

  it.runIf(isRoot)('contains a memory bomb: it is killed with an error, and other functions continue', async () => {
    await createFunction('hungry', { bootstrap: SHELL.replace('sh /tmp/command', 'exec sh /tmp/command') });
    const eaten = await sh(`exec awk 'BEGIN { x = "0123456789"; while (length(x) < 400000000) x = x x }'`, 'hungry');
    expect(eaten).toMatch(/"errorType":"Runtime\.(OutOfMemory|ExitError)"/);
    expect(eaten).toContain('signal: killed');
    expect(await sh('echo fine')).toBe('fine\n');
    expect(await sh('echo fine', 'victim')).toBe('fine\n');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'cannot keep the service from stopping (%s) and starting again with files that are hard to remove',
    async (signal) => {
      const made = await sh(`python3 - <<'END'
import os
os.chdir('/tmp')
for _ in range(30):
    os.mkdir('x' * 200)
    os.chdir('x' * 200)
os.mkdir('/tmp/locked')
os.mkdir('/tmp/locked/inside')
os.chmod('/tmp/locked', 0)
os.mkdir(b'/tmp/\\xff\\xfe')
print(len(os.getcwd()))
END`);
      expect(made).toBe('6034\n');
      const code = await service.stop(signal);
      if (signal === 'SIGTERM') {
        expect(code).toBe(0);
        expect(service.stderr()).not.toContain('could not remove');
        expect(existsSync(join(data, 'run'))).toBe(false);
      }
      client.destroy();
      await startService();
      expect(service.stderr()).not.toContain('could not remove');
      expect(await sh('ls /tmp; echo again')).toMatch(/again\n$/);
      expect(await sh('cd /tmp; ls')).not.toContain('xxx');
    },
  );
});
