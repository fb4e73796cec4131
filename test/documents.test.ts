/** The documents agree with the code: generated tables are up to date, and rules name tests that exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cellsOf, DOCUMENT_TABLES, readTable } from '../scripts/document-tables.ts';
import { COMMANDS } from '../src/cli/main.ts';

const ROOT = resolve(import.meta.dirname, '..');

describe('tables that come from the code', () => {
  it.each(DOCUMENT_TABLES)('$file, "$heading", is up to date', ({ file, heading, rows }) => {
    expect(readTable(read(file), heading), 'node scripts/run.mjs documents writes it').toEqual(rows);
  });
});

describe('docs/behavior', () => {
  const pages = readdirSync(join(ROOT, 'docs/behavior')).filter((name) => name.endsWith('.md') && name !== 'README.md');

  it.each(pages)('%s numbers its rules from 1, each once', (page) => {
    const numbers = rulesOf(page).map((rule) => rule.number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length).toBeGreaterThan(0);
  });

  it.each(pages)('%s names an existing test for each rule', (page) => {
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
    const known = COMMANDS.map((command) => command.name);
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

function rulesOf(page: string): { readonly number: number; readonly test: string }[] {
  return read(`docs/behavior/${page}`)
    .split('\n')
    .filter((line) => /^\| \d+ \|/.test(line))
    .map(cellsOf)
    .map((cells) => ({ number: Number(cells[0]), test: cells.at(-1) ?? '' }));
}

/** A test file without escapes of quotes, so that titles can be found as they are reported. */
function testSource(file: string): string {
  return read(file).replace(/\\(['`"])/g, '$1');
}

function markdownIn(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${directory}/${name}`);
}
