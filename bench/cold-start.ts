/**
 * A cold invocation of a PHP hello compared with the same PHP binary run bare in bubblewrap, alternating in one run on one
 * CPU: the part of a cold start that Lamella adds. The bare run creates the same namespaces and mounts, prints the greeting
 * and exits. The cold invocation is a client's HTTP request, from sending it to the end of the response.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from '../src/http/client.ts';
import { unpackArchive } from '../src/storage/archive.ts';
import { headLine, ROOT, resultLine, startService } from './running-service.ts';

const ROUNDS = 30;
const GREETING = 'Hello, World!';

const service = await startService();
const directory = mkdtempSync(join(tmpdir(), 'lamella-bare-'));
try {
  const opt = join(directory, 'opt');
  const limits = { unpackedBytes: Number.MAX_SAFE_INTEGER, entries: 100_000 };
  await unpackArchive(readFileSync(service.layer), { target: opt, staging: join(directory, 'staging'), limits });
  const temporary = join(directory, 'tmp');
  mkdirSync(temporary);
  for (let round = 0; round <= ROUNDS; round += 1) await service.createHello(`hello-${round}`);
  // Once each, unmeasured: to fill the page cache and compile the code.
  await invoke('hello-0');
  await bare(opt, temporary);
  const times: { bare: number[]; cold: number[] } = { bare: [], cold: [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    times.bare.push(await timed(() => bare(opt, temporary)));
    times.cold.push(await timed(() => invoke(`hello-${round}`)));
  }
  console.log(headLine());
  console.log(resultLine('bwrap ... php hello (namespaces, mounts, PHP)', times.bare, 'ms', times.bare));
  console.log(resultLine('cold invocation of a PHP hello', times.cold, 'ms', times.bare));
} finally {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function timed(action: () => Promise<void>): Promise<number> {
  const began = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - began) / 1_000_000;
}

async function invoke(name: string): Promise<void> {
  const url = new URL(`${service.url}/2015-03-31/functions/${name}/invocations`);
  const response = await send({ method: 'POST', url, headers: {}, body: Buffer.from('{"name":"World"}') });
  if (response.body.toString() !== GREETING) throw new Error(`${name} returned ${response.status}: ${response.body}`);
}

/** The minimum that runs a PHP function in a sandbox of the same kind. */
function bare(opt: string, temporary: string): Promise<void> {
  const script = 'require "/var/task/src/hello.php"; echo hello(["name" => "World"]);';
  const links = ['/bin', '/sbin', '/lib', '/lib64'].filter((path) => existsSync(path));
  const args = [
    ...['--ro-bind', '/usr', '/usr', '--ro-bind', '/etc', '/etc', '--proc', '/proc', '--tmpfs', '/dev'],
    ...links.flatMap((path) => ['--ro-bind', path, path]),
    ...['null', 'zero', 'random', 'urandom'].flatMap((device) => ['--dev-bind', `/dev/${device}`, `/dev/${device}`]),
    ...['--ro-bind', opt, '/opt', '--ro-bind', join(ROOT, 'examples/walkthrough'), '/var/task'],
    ...['--bind', temporary, '/tmp', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent'],
    ...['--chdir', '/var/task', '/opt/bin/php', '-r', script],
  ];
  return new Promise((settle, fail) => {
    const child = spawn('bwrap', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.on('close', () => (printed === GREETING ? settle() : fail(new Error(`bare PHP printed: ${printed}`))));
  });
}
