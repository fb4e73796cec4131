import { describe, expect, it } from 'vitest';
import { explainFailure } from './host-checks.ts';

describe('explainFailure', () => {
  const settings = {
    maxUserNamespaces: 1000,
    unprivilegedUserNamespaces: undefined,
    appArmorRestricts: undefined,
    seccomp: 0,
  };

  it('names AppArmor’s restriction on Ubuntu to an ordinary user', () => {
    const text = explainFailure('setting up uid map: Permission denied', { ...settings, appArmorRestricts: 1 }, false);
    expect(text).toContain('kernel.apparmor_restrict_unprivileged_userns=0');
  });

  it('does not blame AppArmor’s restriction if the user is root', () => {
    const text = explainFailure(
      'Creating new namespace failed: Operation not permitted',
      { ...settings, appArmorRestricts: 1 },
      true,
    );
    expect(text).toContain('seccomp=unconfined');
  });

  it('names the container’s seccomp profile if a filter is active', () => {
    expect(explainFailure('whatever', { ...settings, seccomp: 2 }, false)).toContain('seccomp=unconfined');
  });

  it('names the parts of /proc that the container hides', () => {
    const output = "Can't mount proc on /newroot/proc: Invalid argument";
    expect(explainFailure(output, settings, true)).toContain('systempaths=unconfined');
  });
});
