/** Writes the tables of docs/ that come from tables of the code. The text around them is written by hand. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DOCUMENT_TABLES, writeTable } from './document-tables.ts';

const ROOT = process.env.LAMELLA_ROOT ?? resolve(import.meta.dirname, '..');

for (const { file, heading, rows } of DOCUMENT_TABLES) {
  const path = join(ROOT, file);
  const before = readFileSync(path, 'utf8');
  const after = writeTable(before, heading, rows);
  if (after === before) continue;
  writeFileSync(path, after);
  console.log(`${file}: ${heading}`);
}
