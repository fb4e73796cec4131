import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { knownHost } from './known-host.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-known-host-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const find = (isolatedPort?: number) => knownHost({ isolatedPort, directory });

function files(): string[] {
  return readdirSync(directory).map((name) => join(directory, name));
}

/** Marks what is remembered, so that a test can tell it from new checks. */
function mark(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace('"checks":[', '"checks":[{"name":"remembered"},'));
}

const isRemembered = async () => (await find()).capabilities.checks.some(({ name }) => name === 'remembered');

describe('a machine that passed its checks', () => {
  it('is not checked again, and each service still has its own uids, cgroups and descriptors', async () => {
    const { capabilities: checked } = await find();
    expect(checked.host).toBeDefined();
    const [file = ''] = files();
    mark(file);
    const { capabilities } = await find();
    expect(capabilities.checks[0]?.name).toBe('remembered');
    const { identity, ...host } = capabilities.host ?? {};
    const { identity: _, ...expected } = checked.host ?? {};
    expect(host).toEqual(expected);
    if (identity?.kind !== 'own-uids') return;
    const others = await Promise.all([1, 2, 3, 4, 5].map(find.bind(undefined, undefined)));
    const uids = others.map((other) => JSON.stringify(other.capabilities.host?.identity));
    expect(new Set(uids).size).toBeGreaterThan(1);
  });

  it.each([
    ['another user could have written what is remembered', (file: string) => chmodSync(file, 0o622)],
    ['that is damaged', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 300))],
    [
      'it says nothing about the programs',
      (file: string) => writeFileSync(file, '{"checks":[{"name":"remembered"}],"host":{"tools":{}}}'),
    ],
  ])('is checked again if %s', async (_, change) => {
    for (const file of files()) rmSync(file);
    await find();
    const [file = ''] = files();
    mark(file);
    expect(await isRemembered()).toBe(true);
    change(file);
    expect(await isRemembered()).toBe(false);
  });

  it('is checked again after a sandbox could not be opened', async () => {
    for (const file of files()) mark(file);
    (await find()).forget();
    expect(await isRemembered()).toBe(false);
  });
});
