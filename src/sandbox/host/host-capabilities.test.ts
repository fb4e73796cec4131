import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../operator-error.ts';
import { probeHost, requireIsolatedNetwork, requireSandbox } from './host-capabilities.ts';

describe('probeHost', () => {
  it('finds this machine fit, and reports each check', async () => {
    const { checks, host } = await probeHost();
    expect(checks.filter((check) => check.isRequired && !check.ok)).toEqual([]);
    expect(host).toBeDefined();
    expect(checks.map((check) => check.name)).toEqual(
      expect.arrayContaining(['bubblewrap', 'util-linux', 'sandbox', 'memory and CPU limits']),
    );
    for (const check of checks) expect(check.ok || check.remedy !== undefined, check.name).toBe(true);
  });
});

describe('requireSandbox', () => {
  it('throws what is missing and how to install it', () => {
    const missing = {
      name: 'bubblewrap',
      ok: false,
      isRequired: true,
      detail: 'bwrap not found in /usr/bin',
      impact: 'Functions need it.',
      remedy: 'sudo apt-get install -y bubblewrap',
    };
    const require = () => requireSandbox({ checks: [missing], isolatedNetwork: undefined, host: undefined });
    expect(require).toThrow(OperatorError);
    expect(require).toThrow('bwrap not found in /usr/bin');
    try {
      require();
    } catch (error) {
      expect(error).toMatchObject({ code: 'no-sandbox', remedy: 'sudo apt-get install -y bubblewrap', exitCode: 4 });
    }
  });
});

describe('requireIsolatedNetwork', () => {
  const check = {
    name: 'isolated network',
    isRequired: false,
    detail: 'bwrap: loopback: Failed',
    impact: 'Networks are shared.',
    remedy: 'Do this.',
  };

  it('throws why the trial failed, and how to fix it or do without', async () => {
    const { checks, host } = await probeHost();
    const found = { checks, host, isolatedNetwork: { ...check, ok: false } };
    const require = () => requireIsolatedNetwork(found);
    expect(require).toThrow('bwrap: loopback: Failed');
    expect(require).toThrow(
      expect.objectContaining({
        code: 'no-isolated-network',
        exitCode: 4,
        remedy: expect.stringMatching(/^Do this\. .*--network isolated/),
      }),
    );
  });

  it('reports the error of a trial that cannot succeed', async () => {
    const found = await probeHost({ isolatedPort: 65_536 });
    expect(found.host).toBeDefined();
    expect(found.isolatedNetwork).toMatchObject({
      ok: false,
      detail: expect.stringContaining('(65536)'),
      remedy: expect.stringContaining('--unshare-net'),
    });
    expect(() => requireIsolatedNetwork(found)).toThrow(expect.objectContaining({ code: 'no-isolated-network' }));
  });

  it('accepts a machine on which the trial succeeded', async () => {
    const found = await probeHost({ isolatedPort: 9001 });
    expect(found.isolatedNetwork).toMatchObject({ ok: true, detail: expect.stringContaining('--network isolated') });
    expect(() => requireIsolatedNetwork(found)).not.toThrow();
  });
});
