/** `bin/lamella` keeps what V8 has compiled, and executes only what it wrote itself. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, lamella } from '../../test/support/built-cli.ts';

let home: string;

beforeAll(() => {
  buildIfStale();
  home = mkdtempSync(join(tmpdir(), 'lamella-compiled-'));
}, 120_000);
afterAll(() => rmSync(home, { recursive: true }));

/** Runs `lamella --version` with this cache directory. Returns its output. */
async function version(environment: Record<string, string> = { XDG_CACHE_HOME: home }): Promise<string> {
  const { code, stdout, stderr } = await lamella(['--version'], { environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.toString();
}

/** The compiled main file. */
function compiled(): string {
  const [directory = ''] = readdirSync(join(home, 'lamella/compiled'));
  const names = readdirSync(join(home, 'lamella/compiled', directory));
  return join(home, 'lamella/compiled', directory, names.find((name) => name.endsWith('main.js')) ?? '');
}

describe('what V8 has compiled of the program', () => {
  it('is kept where only this user can write, and used by the next command', async () => {
    const printed = await version();
    const { mode, mtimeMs } = statSync(compiled());
    expect((mode & 0o777).toString(8)).toBe('600');
    expect((statSync(join(compiled(), '..')).mode & 0o777).toString(8)).toBe('700');
    expect(await version()).toBe(printed);
    expect(statSync(compiled()).mtimeMs).toBe(mtimeMs);
  });

  it('is made again if another user could have written it, it is a link, or it is damaged', async () => {
    const file = compiled();
    chmodSync(file, 0o622);
    await version();
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    const good = readFileSync(file);
    const elsewhere = join(home, 'elsewhere');
    writeFileSync(elsewhere, good, { mode: 0o600 });
    rmSync(file);
    symlinkSync(elsewhere, file);
    await version();
    expect(readdirSync(join(file, '..'), { withFileTypes: true }).filter((entry) => entry.isSymbolicLink())).toEqual(
      [],
    );
    for (const damaged of [Buffer.alloc(0), Buffer.alloc(5000, 'x'), good.subarray(0, good.length - 1000)]) {
      writeFileSync(file, damaged);
      await version();
      expect(statSync(file).size).toBeGreaterThan(damaged.length);
    }
  });

  it('is not needed: a command works without a directory to keep it in', async () => {
    for (const unusable of ['/dev/null', '/proc/nothing']) {
      expect(await version({ XDG_CACHE_HOME: unusable })).toBe(await version());
    }
  });
});
