/** Admits the callers of the API port by their headers, with a cache of those that were admitted. */
import { checkCaller, type GuardedHeaders, type GuardPolicy, type GuardVerdict } from '../http/guard.ts';

/** What the check reads of a request. */
export type Caller = {
  readonly headers: GuardedHeaders;
  readonly socket: { readonly localAddress?: string | undefined };
};

const ADMITTED = { admitted: true } as const;
const MAX_ADMITTED_HOSTS = 100;

export function createCallerCheck(policy: GuardPolicy): (caller: Caller) => GuardVerdict {
  // Without Origin and Sec-Fetch-Site, the verdict depends only on Host and the local address.
  const admitted = new Map<string | undefined, Set<string | undefined>>();
  let size = 0;
  return ({ headers, socket: { localAddress } }) => {
    if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
      return checkCaller(headers, policy, localAddress);
    }
    if (admitted.get(localAddress)?.has(headers.host)) return ADMITTED;
    const verdict = checkCaller(headers, policy, localAddress);
    if (verdict.admitted && size < MAX_ADMITTED_HOSTS) {
      const hosts = admitted.get(localAddress) ?? new Set();
      admitted.set(localAddress, hosts.add(headers.host));
      size += 1;
    }
    return verdict;
  };
}
