import { describe, expect, it } from 'vitest';
import type { GuardedHeaders } from './guard.ts';
import { checkCaller } from './guard.ts';

const POLICY = { boundHost: '127.0.0.1', allowedHosts: ['build.example', '.team.example', '*.lab.example'] };

function admits(headers: GuardedHeaders, policy = POLICY, localAddress: string | undefined = '127.0.0.1'): boolean {
  return checkCaller(headers, policy, localAddress).admitted;
}

describe('the guard of the API port', () => {
  it.each([
    '127.0.0.1:3001',
    '127.8.9.10',
    'localhost:3001',
    'LOCALHOST.',
    'bucket.s3.localhost:3001',
    '[::1]:3001',
    '[0:0:0:0:0:0:0:1]',
  ])('admits the loopback host %s', (host) => {
    expect(admits({ host })).toBe(true);
  });

  it.each([
    'evil.example:3001',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'notlocalhost',
    '127.evil.example',
    '192.0.2.7:3001',
    '[2001:db8::1]:3001',
    'evil.example@127.0.0.1',
    '127.0.0.1:3001:80',
    '',
  ])('refuses the foreign host "%s"', (host) => {
    expect(admits({ host })).toBe(false);
  });

  it('refuses a request without a Host header', () => {
    expect(admits({})).toBe(false);
  });

  it('admits the host it was bound to, and the address that the client connected to', () => {
    expect(admits({ host: 'devbox.local:3001' }, { ...POLICY, boundHost: 'devbox.local' })).toBe(true);
    expect(admits({ host: '192.0.2.7:3001' }, { ...POLICY, boundHost: '0.0.0.0' }, '::ffff:192.0.2.7')).toBe(true);
    expect(admits({ host: '[2001:db8::0:1]:3001' }, { ...POLICY, boundHost: '::' }, '2001:db8::1')).toBe(true);
    expect(admits({ host: '192.0.2.8:3001' }, { ...POLICY, boundHost: '0.0.0.0' }, '192.0.2.7')).toBe(false);
  });

  it.each([
    ['build.example:3001', true],
    ['x.build.example', false],
    ['ci.team.example', true],
    ['team.example', true],
    ['a.lab.example', true],
    ['evil-team.example', false],
  ])('admits the names of --allow-host: %s -> %s', (host, expected) => {
    expect(admits({ host })).toBe(expected);
  });

  it('refuses every browser origin except its own and the allowed ones', () => {
    const host = 'localhost:3001';
    for (const origin of [
      'https://evil.example',
      'http://localhost:8080',
      'http://127.0.0.1:3001',
      'null',
      '',
      'file://',
    ]) {
      expect(admits({ host, origin }), origin).toBe(false);
    }
    expect(admits({ host, origin: 'http://localhost:3001' })).toBe(true);
    expect(admits({ host, origin: 'https://build.example:8443', 'sec-fetch-site': 'cross-site' })).toBe(true);
  });

  it('refuses a browser request from another site or port without an Origin', () => {
    expect(admits({ host: 'localhost:3001', 'sec-fetch-site': 'cross-site' })).toBe(false);
    expect(admits({ host: 'localhost:3001', 'sec-fetch-site': 'same-site' })).toBe(false);
    expect(admits({ host: 'localhost:3001', 'sec-fetch-site': 'anything else' })).toBe(false);
    expect(admits({ host: 'localhost:3001', 'sec-fetch-site': 'none' })).toBe(true);
    expect(admits({ host: 'localhost:3001', 'sec-fetch-site': 'same-origin' })).toBe(true);
  });

  it('reports what is wrong and what to do', () => {
    const verdict = checkCaller({ host: 'evil.example' }, POLICY, '127.0.0.1');
    expect(verdict).toMatchObject({ admitted: false });
    expect(JSON.stringify(verdict)).toContain("'evil.example'");
    expect(JSON.stringify(verdict)).toContain('--allow-host');
  });
});
