/**
 * PHP layers side by side: their size, as an archive and unpacked, and the time from starting the process to its first GET
 * next. For each version of PHP: the lean layer, the same for Amazon Linux 2023, the one for web applications, and the same
 * binary with the extensions that Bref enables. In turns on one CPU.
 *   node scripts/run.mjs bench php-layer
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entriesOfDirectory } from '../src/packaging/directory-entries.ts';
import { sizeOfEntries } from '../src/packaging/zip-writer.ts';
import { headLine, resultLine } from './running-service.ts';
import type { Contender, Round } from './runtime-api-stand-in.ts';
import { layOutPhp, run } from './runtime-api-stand-in.ts';

const VERSIONS = (process.env.PHP_VERSIONS ?? '8.2,8.3,8.4,8.5').split(',');
const ROUNDS = 11;
/** Bref's default list without the extensions that every build contains. Those that a version has no module for are left out. */
const BREF =
  'bcmath,ctype,curl,dom,exif,fileinfo,ftp,gettext,iconv,mbstring,mysqli,pdo,pdo_mysql,pdo_pgsql,pdo_sqlite,phar,simplexml,soap,sodium,sqlite3,tokenizer,xml,xmlreader,xmlwriter,xsl,zip';
const ELSEWHERE_MODULES: Readonly<Record<string, string>> = {
  '8.2': 'opcache',
  '8.3': 'opcache',
  '8.4': 'opcache,posix,sockets',
  '8.5': 'posix',
};

const directory = mkdtempSync(join(tmpdir(), 'lamella-php-layer-'));
try {
  const taskRoot = join(directory, 'task');
  mkdirSync(taskRoot);
  writeFileSync(join(taskRoot, 'index.php'), '<?php return fn (array $event) => $event;');
  for (const version of VERSIONS) await compare(version, taskRoot);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function compare(version: string, taskRoot: string): Promise<void> {
  const kinds: readonly (readonly [string, readonly string[]])[] = [
    ['lean', []],
    ['lean, --base al2023', ['--base', 'al2023']],
    ['http', ['--variant', 'http']],
    ["with Bref's extensions", ['--extensions', `${BREF},${ELSEWHERE_MODULES[version] ?? 'opcache'}`]],
  ];
  console.log(`PHP ${version}`);
  const contenders: Contender[] = [];
  for (const [index, [name, options]] of kinds.entries()) {
    const place = `${version}-${index}`;
    const php = layOutPhp(directory, place, '--version', version, ...options);
    const unzipped = await sizeOfEntries(await entriesOfDirectory(join(directory, place)));
    const zipped = statSync(join(directory, `${place}.zip`)).size;
    console.log(`  ${name.padEnd(24)} ${megabytes(unzipped)} MB unpacked  ${megabytes(zipped)} MB as an archive`);
    // The layer for Amazon Linux 2023 may not start here, with other libraries.
    if (!options.includes('al2023')) contenders.push({ name, argv: [...php, join(directory, place, 'bootstrap')] });
  }
  const rounds = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const contender of contenders) {
      const measured = await run(contender, { event: '{}', warmUp: 0, invocations: 0, taskRoot });
      if (round > 0) rounds.get(contender)?.push(measured);
    }
  }
  const [lean = []] = rounds.values();
  console.log(`  start to first next\n${headLine()}`);
  for (const [{ name }, each] of rounds) {
    const column = (pick: (round: Round) => number) => [each.map(pick), lean.map(pick)] as const;
    const [cpu, leanCpu] = column(({ startCpuMs }) => startCpuMs);
    const [wall, leanWall] = column(({ startMs }) => startMs);
    console.log(resultLine(`${name}: CPU`, cpu, 'ms', leanCpu));
    console.log(resultLine(`${name}: wall`, wall, 'ms', leanWall));
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2).padStart(6);
}
