/**
 * Enforces ARCHITECTURE.md: rows of directories that import only downwards, and one module for each outside thing. The last test
 * compares the page with the rows here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** From the top down. A file may import from its own area and from the rows below. */
const ROWS: readonly (readonly string[])[] = [
  ['cli'],
  ['dev'],
  ['project'],
  ['testing'],
  ['lamella.ts'],
  ['library'],
  ['assembly'],
  ['api-port'],
  ['lambda-api', 'admin-api', 'gateways', 'console'],
  ['event-sources', 'durable-executions'],
  ['invocation'],
  ['environment'],
  [
    'functions',
    'services/iam',
    'services/s3',
    'services/sqs',
    'services/sns',
    'services/logs',
    'services/events',
    'services/ssm',
    'services/secretsmanager',
    'services/cloudformation',
    'services/apigateway',
    'services/elasticloadbalancingv2',
    'services/ecr',
    'services/dynamodb',
    'services/cloudtrail',
  ],
  ['layers', 'images', 'stacks', 'runtime-api', 'runtime-client', 'packaging', 'queues'],
  ['template'],
  ['wire'],
  ['sandbox', 'storage'],
  ['http', 'elf'],
  ['protocol'],
  [
    'clock.ts',
    'containment.ts',
    'lifetime.ts',
    'log.ts',
    'options.ts',
    'operator-error.ts',
    'package-directory.ts',
    'remove-tree.ts',
  ],
];

/** The only files that may touch an outside thing, by the pattern of its use. */
const OUTSIDE_THINGS: readonly {
  readonly what: string;
  readonly pattern: RegExp;
  readonly files: readonly RegExp[];
}[] = [
  {
    what: 'the SQLite driver',
    pattern: /from '(libsql|better-sqlite3|node:sqlite)'/,
    files: [/^storage\/database\.ts$/],
  },
  {
    what: 'child processes',
    pattern: /from 'node:child_process'/,
    files: [/^sandbox\/process\/spawn\.ts$/, /^packaging\/run-tool\.ts$/, /^cli\/run-program\.ts$/],
  },
  { what: 'HTTP', pattern: /from 'node:https?'/, files: [/^http\//] },
  { what: 'timers', pattern: /\b(setTimeout|setInterval)\(/, files: [/^clock\.ts$/] },
  { what: 'the wall clock', pattern: /\bDate\.now\(\)|new Date\(\)/, files: [/^clock\.ts$/] },
  {
    // The command line is bundled: a file's own place says nothing about the package there.
    what: "the program's place on the disk",
    pattern: /import\.meta\.(dirname|filename)|new URL\([^;]*import\.meta/,
    files: [/^package-directory\.ts$/],
  },
  { what: 'the process environment', pattern: /\bprocess\.env\b/, files: [/^options\.ts$/] },
];

/** Matches code that spells, matches or takes apart an ARN. */
const ARN_CODE = [
  /arn:(aws|\$\{|[[(])/,
  /['"`]arn:['"`]/,
  /[aA]rn\)?\??\.(split|slice|substring|indexOf|lastIndexOf|startsWith)\(/,
];

const files = sourceFiles(SRC);

describe('architecture', () => {
  it('has only the root files and areas of the rows', () => {
    const known = new Set(ROWS.flat());
    expect([...new Set(files.map(areaOf))].filter((area) => !known.has(area))).toEqual([]);
  });

  it('imports only from the same area or from rows below', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .map((target) => ({ from: areaOf(file), to: areaOf(target), file, target }))
        .filter(({ from, to }) => from !== to && rowOf(to) <= rowOf(from) && !(isRoot(from) && isRoot(to)))
        .map(({ target }) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it.each(OUTSIDE_THINGS)('uses $what in one module only', ({ pattern, files: allowed }) => {
    const wrong = files.filter((file) => !allowed.some((name) => name.test(file)) && pattern.test(code(file)));
    expect(wrong).toEqual([]);
  });

  it('has no import circles inside an area, type imports included', () => {
    const sameArea = (file: string) => importsOf(file).filter((target) => areaOf(target) === areaOf(file));
    const graph = new Map(files.map((file) => [file, sameArea(file)]));
    expect(circlesOf(graph)).toEqual([]);
  });

  it('spells, matches and takes apart ARNs only in protocol/arn.ts', () => {
    const others = files.filter((file) => file !== 'protocol/arn.ts' && !file.startsWith('protocol/generated/'));
    expect(others.filter((file) => ARN_CODE.some((pattern) => pattern.test(code(file))))).toEqual([]);
  });

  it('has no barrels and no files for miscellaneous helpers', () => {
    const drawers = files.filter((file) => /(^|\/)(index|utils?|helpers?|common|shared|misc)(\.ts|\/)/.test(file));
    expect(drawers).toEqual([]);
  });

  it('has the same rows in ARCHITECTURE.md', () => {
    const drawing = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const existing = new Set(files.map(areaOf));
    const rows = ROWS.map((row) => row.filter((area) => existing.has(area))).filter((row) => row.length > 0);
    const missing = rows.map((row) => row.join('  ')).filter((line) => !drawing.includes(line));
    expect(missing).toEqual([]);
  });
});

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort();
}

function code(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '');
}

function importsOf(file: string): string[] {
  const targets = [...code(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '');
  return targets
    .map((target) => relative(SRC, resolve(SRC, dirname(file), target)))
    .filter((target) => !target.startsWith('..'));
}

/** Groups of files that all reach each other (Tarjan's strongly connected components), each as one line. */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.size - 1);
    stack.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!order.has(target)) visit(target);
      if (!stack.includes(target)) continue;
      lowest.set(file, Math.min(lowest.get(file) ?? 0, lowest.get(target) ?? 0));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1) circles.push(group.sort().join(' '));
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return circles.sort();
}

function areaOf(file: string): string {
  const [first = file, second = ''] = file.split('/');
  return first === 'services' ? `services/${second}` : first;
}

function rowOf(area: string): number {
  return ROWS.findIndex((row) => row.includes(area));
}

function isRoot(area: string): boolean {
  return area.endsWith('.ts') && area !== 'lamella.ts';
}
