/**
 * From starting the process to its first GET next: the lean layer, the same binary with the thirty extensions that Bref
 * enables, and an application of 400 classes in the lean layer, with our ini settings and with Bref's (opcache with a file
 * cache that is empty, as in every new environment). Contenders in turns on one CPU.
 *   node scripts/run.mjs bench php-start
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headLine, resultLine } from './running-service.ts';
import type { Contender, Round } from './runtime-api-stand-in.ts';
import { layOutPhp, run } from './runtime-api-stand-in.ts';

const VERSION = process.env.PHP_VERSION ?? '8.4';
const ROUNDS = 15;
const CLASSES = 400;
/** The extensions that Bref's layer enables by default and this binary has as modules. */
const BREF_EXTENSIONS =
  'bcmath,ctype,curl,dom,exif,fileinfo,ftp,gettext,iconv,mbstring,mysqli,opcache,pdo,pdo_mysql,pdo_pgsql,pdo_sqlite,phar,posix,simplexml,soap,sockets,sodium,sqlite3,tokenizer,xml,xmlreader,xmlwriter,xsl,zip';

const directory = mkdtempSync(join(tmpdir(), 'lamella-php-start-'));
try {
  const lean = layOutPhp(directory, 'lean', '--version', VERSION);
  const many = layOutPhp(directory, 'many', '--version', VERSION, '--extensions', BREF_EXTENSIONS);
  const small = join(directory, 'small');
  mkdirSync(small);
  writeFileSync(join(small, 'index.php'), '<?php return fn (array $data) => $data;');
  const large = writeApplication();
  const fileCache = join(directory, 'cache');
  const brefsIni = {
    zend_extension: join(directory, 'many/lamella/ext/opcache.so'),
    'opcache.enable': '1',
    'opcache.enable_cli': '1',
    'opcache.file_cache': fileCache,
    'opcache.file_cache_only': '1',
    'opcache.validate_permission': '0',
    'opcache.max_accelerated_files': '10000',
  };
  const options = Object.entries(brefsIni).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  const table: readonly (readonly [string, string, readonly Contender[]])[] = [
    [
      'a function of one line',
      small,
      [
        { name: 'the lean layer', argv: [...lean, join(directory, 'lean/bootstrap')] },
        { name: 'with the 29 extensions of Bref', argv: [...many, join(directory, 'many/bootstrap')] },
      ],
    ],
    [
      `an application of ${CLASSES} classes`,
      large,
      [
        { name: "the lean layer's ini", argv: [...lean, join(directory, 'lean/bootstrap')] },
        { name: "Bref's ini, empty cache", argv: [...lean, ...options, join(directory, 'lean/bootstrap')] },
      ],
    ],
  ];
  for (const [title, taskRoot, contenders] of table) {
    const rounds = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const contender of contenders) {
        rmSync(fileCache, { recursive: true, force: true });
        mkdirSync(fileCache);
        const measured = await run(contender, { event: '{}', warmUp: 0, invocations: 0, taskRoot });
        if (round > 0) rounds.get(contender)?.push(measured);
      }
    }
    const [own = []] = rounds.values();
    console.log(`${title}, PHP ${VERSION}, start to first next\n${headLine()}`);
    for (const [{ name }, each] of rounds) {
      const column = (pick: (round: Round) => number) => [each.map(pick), own.map(pick)] as const;
      const [cpu, ownCpu] = column(({ startCpuMs }) => startCpuMs);
      const [wall, ownWall] = column(({ startMs }) => startMs);
      console.log(resultLine(`${name}: CPU`, cpu, 'ms', ownCpu));
      console.log(resultLine(`${name}: wall`, wall, 'ms', ownWall));
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** Classes of the size that frameworks have: properties, constants, a dozen methods with loops, arrays and closures. */
function writeApplication(): string {
  const task = join(directory, 'large');
  mkdirSync(join(task, 'src'), { recursive: true });
  for (let index = 0; index < CLASSES; index += 1) {
    const methods = Array.from(
      { length: 12 },
      (_, method) => `
    /** Adds up what of the items passes, and says so. */
    public function method${method}(array $items, ?string $prefix = null): array
    {
        $result = ['name' => self::NAMES[${method % 3}] ?? 'none', 'prefix' => $prefix ?? $this->label];
        foreach ($items as $key => $item) {
            if (is_string($item) && str_starts_with($item, (string) $prefix)) {
                $result['items'][$key] = sprintf('%s-%d', strtoupper($item), count($result) + ${method});
            } elseif ($item instanceof self) {
                $result['nested'][] = array_map(fn ($value) => $value * ${index + 1}, $item->method${(method + 1) % 12}([], $prefix));
            }
        }
        return array_filter($result, static fn ($value): bool => $value !== null);
    }
`,
    );
    writeFileSync(
      join(task, `src/Class${index}.php`),
      `<?php\n\ndeclare(strict_types=1);\n\nnamespace App;\n\nclass Class${index}\n{\n    private const NAMES = ['a', 'b${index}'];\n    private array $state = [];\n\n    public function __construct(protected string $label = 'class ${index}')\n    {\n    }\n${methods.join('')}}\n`,
    );
  }
  writeFileSync(
    join(task, 'index.php'),
    `<?php
spl_autoload_register(fn ($class) => require __DIR__ . '/src/' . substr($class, 4) . '.php');
for ($n = 0; $n < ${CLASSES}; $n++) { $class = "App\\\\Class$n"; $kept[] = new $class(); }
return fn ($event) => count($kept);`,
  );
  return task;
}
