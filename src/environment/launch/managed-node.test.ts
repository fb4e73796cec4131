import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Log, silentLog } from '../../log.ts';
import type { PinnedPackage } from '../../packaging/npm-package.ts';
import { createManagedNodes } from './managed-node.ts';
import { managedRuntimePlan } from './managed-runtime.ts';

let cacheDir: string;
beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), 'lamella-managed-node-'));
});
afterEach(() => rmSync(cacheDir, { recursive: true }));

/** Nodes on a machine with Node.js 20, whose package manager writes a file, or fails. */
function nodes({ isOffline = false } = {}) {
  const fetched: string[] = [];
  const lines: string[] = [];
  const log = { ...silentLog, info: (_: object, text: string) => lines.push(text) } as unknown as Log;
  log.warn = log.info;
  const fetchPackage = async ({ name, version }: PinnedPackage) => {
    fetched.push(`${name}@${version}`);
    await new Promise(setImmediate);
    if (isOffline) throw new Error('no network');
    const directory = join(cacheDir, 'npm', `${name}@${version}`);
    mkdirSync(join(directory, 'bin'), { recursive: true });
    writeFileSync(join(directory, 'bin/node'), '');
    return directory;
  };
  return { ...createManagedNodes({ cacheDir, log, hostVersion: '20.20.2', fetchPackage }), fetched, lines };
}

it('fetches the Node.js of a runtime once, and announces it', async () => {
  const { prepare, fetched, lines } = nodes();
  await Promise.all([prepare('nodejs24.x'), prepare('nodejs24.x')]);
  await prepare('nodejs24.x');
  expect(fetched).toEqual([expect.stringMatching(/^node-linux-.*@24\./)]);
  expect(lines).toEqual([expect.stringMatching(/^fetching Node\.js 24\.[\d.]+, once$/)]);
  const plan = managedRuntimePlan('nodejs24.x', { nodeVersion: '20.20.2', cacheDir });
  expect(plan).not.toHaveProperty('warning');
});

it.each(['nodejs20.x', 'nodejs16.x', 'nodejs99.x', 'python3.12', 'provided.al2023'])(
  'fetches nothing for %s',
  async (runtime) => {
    const { prepare, fetched } = nodes();
    await prepare(runtime);
    expect(fetched).toEqual([]);
  },
);

it("runs functions on this machine's Node.js without a network, and tries once", async () => {
  const { prepare, fetched, lines } = nodes({ isOffline: true });
  await Promise.all([prepare('nodejs22.x'), prepare('nodejs22.x')]);
  await prepare('nodejs22.x');
  expect(fetched).toHaveLength(1);
  expect(lines.at(-1)).toMatch(/^could not fetch Node\.js 22\..*; its functions run on 20\.20\.2$/);
  expect(managedRuntimePlan('nodejs22.x', { nodeVersion: '20.20.2', cacheDir })).toMatchObject({
    warning: expect.stringContaining('compiled modules may not load'),
  });
});
