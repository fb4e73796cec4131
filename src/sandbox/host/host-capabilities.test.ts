import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../operator-error.ts';
import { explainFailure, probeHost, requireIsolatedNetwork, requireSandbox, uidRange } from './host-capabilities.ts';

describe('probeHost', () => {
  it('finds this machine fit and says how', async () => {
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
  it('throws what is missing and how to mend it', () => {
    const missing = {
      name: 'bubblewrap',
      ok: false,
      isRequired: true,
      detail: 'bwrap not found in /usr/bin',
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
    name: 'network of its own',
    isRequired: false,
    detail: 'bwrap: loopback: Failed',
    remedy: 'Do this.',
  };

  it('throws what was wrong with the trial, and how to mend it or do without', async () => {
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

  it('is told what a trial ran into that cannot go well', async () => {
    const found = await probeHost({ isolatedPort: 65_536 });
    expect(found.host).toBeDefined();
    expect(found.isolatedNetwork).toMatchObject({
      ok: false,
      detail: expect.stringContaining('(65536)'),
      remedy: expect.stringContaining('--unshare-net'),
    });
    expect(() => requireIsolatedNetwork(found)).toThrow(expect.objectContaining({ code: 'no-isolated-network' }));
  });

  it('takes a machine on which the trial went well', async () => {
    const found = await probeHost({ isolatedPort: 9001 });
    expect(found.isolatedNetwork).toMatchObject({ ok: true, detail: expect.stringContaining('--network isolated') });
    expect(() => requireIsolatedNetwork(found)).not.toThrow();
  });
});

describe('explainFailure', () => {
  const settings = {
    maxUserNamespaces: 1000,
    unprivilegedUserNamespaces: undefined,
    appArmorRestricts: undefined,
    seccomp: 0,
  };

  it('names Ubuntu’s AppArmor rule to an ordinary user', () => {
    const text = explainFailure('setting up uid map: Permission denied', { ...settings, appArmorRestricts: 1 }, false);
    expect(text).toContain('kernel.apparmor_restrict_unprivileged_userns=0');
  });

  it('does not blame AppArmor’s rule for root', () => {
    const text = explainFailure(
      'Creating new namespace failed: Operation not permitted',
      { ...settings, appArmorRestricts: 1 },
      true,
    );
    expect(text).toContain('seccomp=unconfined');
  });

  it('names the container’s seccomp profile when there is a filter', () => {
    expect(explainFailure('whatever', { ...settings, seccomp: 2 }, false)).toContain('seccomp=unconfined');
  });

  it('names the hidden parts of /proc', () => {
    const words = "Can't mount proc on /newroot/proc: Invalid argument";
    expect(explainFailure(words, settings, true)).toContain('systempaths=unconfined');
  });
});

describe('uidRange', () => {
  it('is high and different for different services where all uids exist', () => {
    const map = '         0          0 4294967295\n';
    const [first, second] = [uidRange(map, 100), uidRange(map, 101)];
    expect(first.firstUid).toBeGreaterThan(1_800_000_000);
    expect(second.firstUid).toBe(first.firstUid + first.count);
    expect(uidRange(map, 4_194_304).firstUid + 1024).toBeLessThan(2 ** 31);
  });

  it('stays within the uids of a container, away from nobody and from root', () => {
    const { firstUid, count } = uidRange('0 100000 65536\n', 100);
    expect(firstUid + count).toBe(65_534);
    expect(firstUid).toBeGreaterThan(60_000);
    expect(uidRange('0 1000 1\n1 100000 1000\n', 100)).toEqual({ firstUid: 1, count: 1000 });
  });
});
