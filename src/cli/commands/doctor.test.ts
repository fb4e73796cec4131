import { beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, lamella } from '../../../test/support/built-cli.ts';

beforeAll(() => buildIfStale(), 120_000);

describe('lamella doctor', () => {
  it('prints the result of each check, as text and as JSON, and exits with 0 only if functions can run', async () => {
    const asJson = await lamella(['doctor', '--json']);
    const { canRunFunctions, checks } = JSON.parse(asJson.stdout.toString());
    expect(checks.length).toBeGreaterThan(3);
    const broken = checks.filter((check: { ok: boolean; isRequired: boolean }) => check.isRequired && !check.ok);
    expect(canRunFunctions).toBe(broken.length === 0);
    const asText = await lamella(['doctor']);
    for (const { name } of checks) expect(asText.stdout.toString()).toContain(` ${name}: `);
    expect([asJson.code, asText.code]).toEqual(canRunFunctions ? [0, 0] : [4, 4]);
  });
});
