/**
 * The cost of an invocation in PHP's loop: our runtime, with and without pipelining, the walkthrough's bootstrap (two new
 * Guzzle clients each time), Bref's function runtime in its persistent mode, and a C program that does the minimum. One PHP
 * binary, one Runtime API, contenders in turns on one CPU. CPU time is that of the runtime's process.
 *
 * Guzzle comes from Debian's php-guzzlehttp-guzzle. Bref is not a dependency: give a directory with its sources.
 *   BREF=/path/to/bref node scripts/run.mjs bench php-loop
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headLine, percentile, ROOT, resultLine } from './running-service.ts';
import type { Contender, Round } from './runtime-api-stand-in.ts';
import { layOutPhp, run } from './runtime-api-stand-in.ts';

const VERSION = process.env.PHP_VERSION ?? '8.4';
const ROUNDS = 9;
const EVENT = '{"name":"World","numbers":[1,2]}';
const LIBRARIES = '/usr/share/php';

const directory = mkdtempSync(join(tmpdir(), 'lamella-php-loop-'));
try {
  const php = layOutPhp(directory, 'opt', '--version', VERSION);
  const work = { event: EVENT, warmUp: 300, invocations: 1500, taskRoot: join(directory, 'task') };
  const contenders = prepare(php);
  const rounds = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const contender of contenders) {
      const measured = await run(contender, work);
      // The first round fills the page cache.
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
  rmSync(directory, { recursive: true, force: true });
}

function prepare(php: readonly string[]): Contender[] {
  const task = join(directory, 'task');
  mkdirSync(join(task, 'src'), { recursive: true });
  writeFileSync(
    join(task, 'src/hello.php'),
    '<?php function hello($data) { return json_encode(["hello" => $data["name"], "n" => 1, "ok" => true]); }',
  );
  writeFileSync(
    join(task, 'index.php'),
    '<?php return fn (array $data) => ["hello" => $data["name"], "n" => 1, "ok" => true];',
  );
  const own = [...php, join(directory, 'opt/bootstrap')];
  const contenders: Contender[] = [
    { name: 'runtimes/php', argv: own },
    { name: 'runtimes/php, pipelined', argv: own, environment: { LAMELLA_PIPELINE: '1' } },
  ];
  if (existsSync(`${LIBRARIES}/GuzzleHttp/autoload.php`)) {
    const blog = join(directory, 'blog');
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
    const bootstrap = join(directory, 'bref.php');
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
  const floor = join(directory, 'floor');
  const compiled = spawnSync('cc', ['-O2', '-o', floor, join(ROOT, 'bench/runtime-client.c')], { stdio: 'ignore' });
  if (compiled.status === 0) contenders.push({ name: 'the least that C can do', argv: [floor] });
  return contenders;
}
