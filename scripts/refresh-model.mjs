/**
 * Takes a newer API model of AWS into scripts/model/lambda-api-model.json, without its documentation. Members keep the order
 * that they have there, because AWS reports violations in it. `node scripts/refresh-model.mjs service-2.json`, a file of the
 * Python package botocore (botocore/data/lambda/2015-03-31/service-2.json.gz, unpacked). Then run generate-protocol.ts;
 * src/protocol/operations.test.ts reports what the AWS SDK knows beyond the model.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run-program.mjs';

const FILE = join(ROOT, 'scripts/model/lambda-api-model.json');
const [source] = process.argv.slice(2);
if (source === undefined) throw new Error('usage: node scripts/refresh-model.mjs service-2.json');
const present = JSON.parse(readFileSync(FILE, 'utf8'));
// Texts are documentation; a structure could have a member of this name.
const given = JSON.parse(readFileSync(source, 'utf8'), (key, value) =>
  key === 'documentation' && typeof value === 'string' ? undefined : value,
);
const { version, metadata, operations, shapes } = inOrderOf(present, given);
writeFileSync(FILE, `${JSON.stringify({ version, metadata, operations, shapes }, undefined, 1)}\n`);

/** The value with keys and list items in the order of `reference`, new ones last; operations and shapes by name. */
function inOrderOf(reference, value, path = '') {
  if (Array.isArray(value)) {
    const nameOf = (item) => item?.shape ?? item;
    const names = Array.isArray(reference) ? reference.map(nameOf) : [];
    const rank = (item) => (names.includes(nameOf(item)) ? names.indexOf(nameOf(item)) : names.length);
    return [...value].sort((one, other) => rank(one) - rank(other));
  }
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.keys(reference ?? {}).filter((key) => Object.hasOwn(value, key));
  const keys = [...known, ...Object.keys(value).filter((key) => !known.includes(key))];
  if (path === 'operations' || path === 'shapes') keys.sort();
  return Object.fromEntries(keys.map((key) => [key, inOrderOf(reference?.[key], value[key], key)]));
}
