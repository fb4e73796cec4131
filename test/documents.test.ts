/** The documents say what the code does: tables held in step with it, both ways, and rules that name a real test. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/cli/main.ts';
import type { Support } from '../src/lambda-api/operation-support.ts';
import { OPERATION_SUPPORT } from '../src/lambda-api/operation-support.ts';
import { OPERATOR_ERRORS } from '../src/operator-error.ts';
import type { OptionRow } from '../src/options.ts';
import { BUILD_OPTIONS, CLIENT_OPTIONS, OPTIONS } from '../src/options.ts';
import { IAM_OPERATIONS } from '../src/protocol/iam-operations.ts';
import { LOGS_OPERATIONS } from '../src/protocol/logs-operations.ts';
import { SERVICE_ERRORS } from '../src/protocol/service-errors.ts';
import { STS_OPERATIONS } from '../src/protocol/sts-operations.ts';

const ROOT = resolve(import.meta.dirname, '..');

describe('docs/options.md', () => {
  it.each([
    ['lamella start', OPTIONS],
    ['Commands that talk to a service', CLIENT_OPTIONS],
    ['Commands that build layers', BUILD_OPTIONS],
  ])('lists under "%s" exactly the options there are', (heading, table) => {
    const rows = Object.values<OptionRow>(table).map((row) => [
      row.flag === undefined ? 'none' : `\`${row.flag}\``,
      row.variables.map((variable) => `\`${variable}\``).join(', '),
      row.defaultInWords ?? (typeof row.default === 'string' ? `\`${row.default}\`` : 'none'),
      row.help,
    ]);
    expect(tableUnder('docs/options.md', heading)).toEqual(rows);
  });
});

describe('docs/errors.md', () => {
  it('lists exactly the errors of this machine and of the command line', () => {
    const rows = Object.entries(OPERATOR_ERRORS).map(([code, row]) => [
      `\`${code}\``,
      String(row.exitCode),
      row.message,
      row.remedy,
    ]);
    expect(tableUnder('docs/errors.md', 'Errors of this machine')).toEqual(rows);
  });

  it('lists exactly the errors of the API', () => {
    const rows = Object.entries(SERVICE_ERRORS).map(([code, row]) => [
      `\`${code}\``,
      String(row.status),
      `\`${'wireName' in row ? row.wireName : code}\``,
      `\`${row.messageKey}\``,
      'type' in row ? row.type : 'none',
    ]);
    expect(tableUnder('docs/errors.md', 'Errors of the API')).toEqual(rows);
  });
});

describe('docs/fidelity.md', () => {
  it('says of every operation of Lambda exactly what the service does with it', () => {
    const rows = Object.entries<Support>(OPERATION_SUPPORT).map(([operation, support]) => [
      `\`${operation}\``,
      support.kind,
      support.kind === 'refused' ? support.reason : support.kind === 'stored' ? support.lacking : '',
    ]);
    expect(tableUnder('docs/fidelity.md', 'Operations of the Lambda API')).toEqual(rows);
  });

  it('lists exactly the operations of other services', () => {
    const rows = Object.entries({ IAM: IAM_OPERATIONS, STS: STS_OPERATIONS, 'CloudWatch Logs': LOGS_OPERATIONS }).map(
      ([service, operations]) => [
        service,
        Object.keys(operations)
          .map((name) => `\`${name}\``)
          .join(', '),
      ],
    );
    expect(tableUnder('docs/fidelity.md', 'Operations of other services')).toEqual(rows);
  });
});

describe('docs/behaviour', () => {
  const pages = readdirSync(join(ROOT, 'docs/behaviour')).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  );

  it.each(pages)('%s numbers its rules from 1, each once', (page) => {
    const numbers = rulesOf(page).map((rule) => rule.number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length).toBeGreaterThan(0);
  });

  it.each(pages)('%s names for each rule a test that exists', (page) => {
    const missing = rulesOf(page).flatMap(({ number, test }) => {
      const [, file = '', name = ''] = /^`([^`]+)`: (.+)$/.exec(test) ?? [];
      return existsSync(join(ROOT, file)) && file !== '' && testSource(file).includes(name)
        ? []
        : [`${number}: ${test}`];
    });
    expect(missing).toEqual([]);
  });
});

describe('the documents', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...markdownIn('docs')];

  it.each(documents)('%s links only to files that exist', (document) => {
    const links = [...read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.filter((link) => !existsSync(resolve(ROOT, document, '..', link)))).toEqual([]);
  });

  it('mention only commands of the CLI that exist', () => {
    const known = COMMANDS.map((command) => command.words);
    const unknown = documents.flatMap((document) =>
      [...read(document).matchAll(/(?:`|\$ |^ {0,4}(?:npx )?)lamella ([a-z]+(?: [a-z]+)*)/gm)]
        .map((match) => match[1] ?? '')
        .filter((words) => !known.some((command) => `${words} `.startsWith(`${command} `) || command.startsWith(words)))
        .map((words) => `${document}: lamella ${words}`),
    );
    expect(unknown).toEqual([]);
  });

  it('number the decisions without a gap', () => {
    const numbers = readdirSync(join(ROOT, 'docs/decisions')).map((name) => Number(name.slice(0, 4)));
    expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1));
  });
});

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** The cells of the first table below a heading that contains `heading`, without its two head lines. */
function tableUnder(file: string, heading: string): string[][] {
  const lines = read(file).split('\n');
  const start = lines.findIndex((line) => line.startsWith('#') && line.includes(heading));
  const first = lines.findIndex((line, index) => index > start && line.startsWith('|'));
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  return lines.slice(first + 2, first + length).map(cellsOf);
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function rulesOf(page: string): { readonly number: number; readonly test: string }[] {
  return read(`docs/behaviour/${page}`)
    .split('\n')
    .filter((line) => /^\| \d+ \|/.test(line))
    .map(cellsOf)
    .map((cells) => ({ number: Number(cells[0]), test: cells.at(-1) ?? '' }));
}

/** A test file with escapes of its quotes undone, so that a name can be found as it is reported. */
function testSource(file: string): string {
  return read(file).replace(/\\(['`"])/g, '$1');
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
}
