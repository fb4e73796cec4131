/**
 * Divides the service's descriptors (open files and connections) among environments, with a reserve that only the
 * service's own API uses. Otherwise one function that opens connections would keep everyone from calling the service.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { OperatorError } from '../../operator-error.ts';

/** Descriptors of one environment: pipes of its processes, descriptors of its namespaces, its listener and a connection. */
const PER_ENVIRONMENT = 24;
/** Connections that an environment gets even when all others together have used up theirs. */
const GUARANTEED_CONNECTIONS = 8;

/** Places for the connections of all Runtime APIs. */
export type ConnectionBudget = {
  /** Takes a place for an environment that has `used` of them. Returns false if there is none. */
  take(used: number): boolean;
  release(): void;
  /** Places that are taken. */
  readonly taken: number;
  /** Places that all environments combined may take, beyond those that each is guaranteed. */
  readonly limit: number;
};

/** At most a quarter of the service's descriptors are connections of functions. */
export function createConnectionBudget(limit = openFilesLimit()): ConnectionBudget {
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    limit: Math.floor(limit / 4),
    take(used) {
      if (used >= GUARANTEED_CONNECTIONS && taken >= limit / 4) return false;
      taken += 1;
      return true;
    },
    release() {
      taken -= 1;
    },
  };
}

/** Descriptors of this process, and how many it may have. */
export function descriptorUse(): { readonly used: number; readonly limit: number } {
  return { used: readdirSync('/proc/self/fd').length, limit: openFilesLimit() };
}

/** Throws `OperatorError` 'open-files-limit' if another environment would use descriptors of the reserve. */
export function requireDescriptors(limit = openFilesLimit(), open = readdirSync('/proc/self/fd').length): void {
  const reserve = Math.min(256, Math.floor(limit / 8));
  if (open + PER_ENVIRONMENT <= limit - reserve) return;
  const reason = `${open} of at most ${limit} are open, and ${reserve} are kept for the Lambda API`;
  throw new OperatorError('open-files-limit', { reason });
}

/** The soft limit of this process, which can be changed from outside. */
export function openFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
  return Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit;
}
