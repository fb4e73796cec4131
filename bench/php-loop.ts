/**
 * What an invocation costs in PHP's loop: our runtime, with and without pipelining, the walkthrough's bootstrap (two new
 * Guzzle clients each time), Bref's function runtime in its persistent mode, and a C program that does the least that can
 * be done. One PHP binary, one Runtime API, contenders in turns on one CPU; CPU time is that of the runtime's process.
 *
 * Guzzle comes from Debian's php-guzzlehttp-guzzle. Bref is not a dependency: name a folder with its sources.
 *   BREF=/path/to/bref node scripts/run.mjs bench php-loop
 */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headLine, percentile, ROOT, resultLine } from './running-service.ts';

const VERSION = process.env.PHP_VERSION ?? '8.4';
const ROUNDS = 9;
const WARM_UP = 300;
const INVOCATIONS = 1500;
const EVENT = '{"name":"World","numbers":[1,2]}';
const LIBRARIES = '/usr/share/php';

type Contender = {
  readonly name: string;
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
};
type Round = { readonly wallUs: number; readonly cpuUs: number; readonly residentKib: number };

const folder = mkdtempSync(join(tmpdir(), 'lamella-php-loop-'));
try {
  const php = layOut();
  const contenders = prepare(php);
  const rounds = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const contender of contenders) {
      const measured = await run(contender);
      // The first round is for the page cache.
      if (round > 0) rounds.get(contender)?.push(measured);
    }
  }
  const [own = []] = rounds.values();
  console.log(`PHP ${VERSION}; ratios to our runtime\n${headLine()}`);
  for (const [{ name }, each] of rounds) {
    const column = (pick: (round: Round) => number) => [each.map(pick), own.map(pick)] as const;
    const [cpu, ownCpu] = column(({ cpuUs }) => cpuUs);
    const [wall, ownWall] = column(({ wallUs }) => wallUs);
    console.log(resultLine(`${name}: CPU`, cpu, 'µs', ownCpu));
    console.log(resultLine(`${name}: wall`, wall, 'µs', ownWall));
    const resident = percentile(
      each.map(({ residentKib }) => residentKib),
      0.5,
    );
    console.log(`${`${name}: resident at its peak`.padEnd(52)}${`${(resident / 1024).toFixed(1)} MiB`.padStart(12)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Builds the lean layer and unpacks it; returns the command that starts its PHP from where it lies. */
function layOut(): readonly string[] {
  const zip = join(folder, 'layer.zip');
  for (const [program, ...args] of [
    [join(ROOT, 'bin/lamella'), 'layer', 'build', 'php', '--version', VERSION, '-o', zip],
    ['unzip', '-q', zip, '-d', join(folder, 'opt')],
  ]) {
    const done = spawnSync(program ?? '', args, { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  }
  // Debian's Guzzle is older than PHP 8.4, which has a word to say about that.
  const options = { extension_dir: join(folder, 'opt/lamella/ext'), error_reporting: String(0x7fff & ~8192) };
  return [
    join(folder, 'opt/bin/php'),
    ...Object.entries(options).flatMap(([name, value]) => ['-d', `${name}=${value}`]),
  ];
}

function prepare(php: readonly string[]): Contender[] {
  const task = join(folder, 'task');
  mkdirSync(join(task, 'src'), { recursive: true });
  writeFileSync(
    join(task, 'src/hello.php'),
    '<?php function hello($data) { return json_encode(["hello" => $data["name"], "n" => 1, "ok" => true]); }',
  );
  writeFileSync(
    join(task, 'index.php'),
    '<?php return fn (array $data) => ["hello" => $data["name"], "n" => 1, "ok" => true];',
  );
  const own = [...php, join(folder, 'opt/bootstrap')];
  const contenders: Contender[] = [
    { name: 'runtimes/php', argv: own },
    { name: 'runtimes/php, pipelined', argv: own, environment: { LAMELLA_PIPELINE: '1' } },
  ];
  if (existsSync(`${LIBRARIES}/GuzzleHttp/autoload.php`)) {
    const blog = join(folder, 'blog');
    mkdirSync(join(blog, 'vendor'), { recursive: true });
    writeFileSync(join(blog, 'bootstrap'), readFileSync(join(ROOT, 'examples/walkthrough/bootstrap')));
    writeFileSync(join(blog, 'vendor/autoload.php'), `<?php require '${LIBRARIES}/GuzzleHttp/autoload.php';`);
    contenders.push({
      name: "the walkthrough's bootstrap",
      argv: [...php, join(blog, 'bootstrap')],
      environment: { _HANDLER: 'hello' },
    });
  }
  const bref = process.env.BREF;
  if (bref !== undefined) {
    const bootstrap = join(folder, 'bref.php');
    writeFileSync(
      bootstrap,
      `<?php spl_autoload_register(function ($class) {
        $file = str_starts_with($class, 'Bref\\\\') ? '${bref}/src/' . strtr(substr($class, 5), '\\\\', '/') : '${LIBRARIES}/' . strtr($class, '\\\\', '/');
        if (is_file("$file.php")) require "$file.php";
      });
      Bref\\FunctionRuntime\\Main::run();`,
    );
    const environment = { BREF_LOOP_MAX: '1000000000', BREF_PING_DISABLE: '1' };
    contenders.push({ name: 'Bref, persistent', argv: [...php, bootstrap], environment });
  }
  const floor = join(folder, 'floor');
  const compiled = spawnSync('cc', ['-O2', '-o', floor, join(ROOT, 'bench/runtime-client.c')], { stdio: 'ignore' });
  if (compiled.status === 0) contenders.push({ name: 'the least that C can do', argv: [floor] });
  return contenders;
}

/** Serves invocations to one runtime until there were enough. */
async function run({ argv, environment }: Contender): Promise<Round> {
  let served = 0;
  let before = { cpu: 0, wall: 0n };
  let child: ChildProcess | undefined;
  let finish: (round: Round) => void = () => undefined;
  const finished = new Promise<Round>((settle) => {
    finish = settle;
  });
  const answer = (socket: Socket, isNext: boolean): void => {
    if (!isNext) {
      socket.write(
        'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n',
      );
      return;
    }
    const pid = child?.pid ?? 0;
    if (served === WARM_UP) before = { cpu: cpuTimeUs(pid), wall: process.hrtime.bigint() };
    if (served === WARM_UP + INVOCATIONS) {
      finish({
        cpuUs: (cpuTimeUs(pid) - before.cpu) / INVOCATIONS,
        wallUs: Number(process.hrtime.bigint() - before.wall) / 1000 / INVOCATIONS,
        residentKib: Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
      });
      return;
    }
    served += 1;
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-${String(served).padStart(12, '0')}\r\nLambda-Runtime-Deadline-Ms: ${Date.now() + 60_000}\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:hello\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=${String(served).padStart(16, '0')};Sampled=0\r\nContent-Length: ${EVENT.length}\r\n\r\n${EVENT}`,
    );
  };
  const server = createServer({ noDelay: true }, (socket) => serve(socket, answer));
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const [command = '', ...args] = argv;
  child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      LAMBDA_TASK_ROOT: join(folder, 'task'),
      AWS_LAMBDA_FUNCTION_NAME: 'hello',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      _HANDLER: 'index.php',
      PATH: '/usr/bin:/bin',
      ...environment,
    },
  });
  const died = new Promise<never>((_, fail) => {
    child?.once('exit', (code) => fail(new Error(`${argv.at(-1)} ended with ${code}`)));
  });
  try {
    return await Promise.race([finished, died]);
  } finally {
    died.catch(() => undefined);
    child.kill('SIGKILL');
    server.close();
  }
}

/** Takes requests off a connection, as many as have arrived. */
function serve(socket: Socket, answer: (socket: Socket, isNext: boolean) => void): void {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.on('data', (piece) => {
    text += piece;
    for (;;) {
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length:\s*(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const isNext = text.startsWith('GET');
      text = text.slice(end + 4 + length);
      answer(socket, isNext);
    }
  });
}

/** What the process has used so far, user and system, all threads. */
function cpuTimeUs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
}
