/**
 * Numbers the environments of this service. A slot determines a loopback address (127.a.b.c) and a host uid. Slots are
 * exclusive on the whole machine, because an environment listens on its address: a second service that finds an address
 * in use tries the next one.
 */
import { OperatorError } from '../../operator-error.ts';

export interface Slots {
  /**
   * Takes the first free slot for which `bind` succeeds. A slot whose address is in use elsewhere is skipped. After 64
   * failures in a row another program probably holds the port on every address, and `bind` is called with `any` port.
   */
  take<T>(
    bind: (slot: number, port: 'usual' | 'any') => Promise<T>,
  ): Promise<{ readonly slot: number; readonly bound: T }>;
  release(slot: number): void;
  /** Number of slots in use. */
  readonly taken: number;
}

const FIRST_SLOT = 1;
const LAST_SLOT = 65_000;
const ATTEMPTS_AT_USUAL_PORT = 64;

export function createSlots(): Slots {
  const inUse = new Set<number>();
  /** Where to start, to skip slots that other services hold. */
  let hint = FIRST_SLOT;
  return {
    get taken() {
      return inUse.size;
    },
    async take(bind) {
      let failures = 0;
      for (let slot = lowestFree(inUse, hint); slot <= LAST_SLOT; slot = lowestFree(inUse, slot + 1)) {
        inUse.add(slot);
        try {
          return { slot, bound: await bind(slot, failures < ATTEMPTS_AT_USUAL_PORT ? 'usual' : 'any') };
        } catch (failure) {
          inUse.delete(slot);
          if (!(failure instanceof OperatorError && failure.code === 'port-in-use')) throw failure;
          failures += 1;
          if (slot === hint && failures < ATTEMPTS_AT_USUAL_PORT) hint = slot + 1;
        }
      }
      throw new Error('No loopback address is left for another execution environment');
    },
    release(slot) {
      inUse.delete(slot);
      if (slot < hint) hint = slot;
    },
  };
}

/** `127.64.0.1` for slot 1, and so on. All of 127/8 is this machine, and other programs do not use these addresses. */
export function loopbackAddress(slot: number): string {
  return `127.${64 + (slot >> 16)}.${(slot >> 8) & 255}.${slot & 255}`;
}

function lowestFree(inUse: ReadonlySet<number>, from: number): number {
  let slot = from;
  while (inUse.has(slot)) slot += 1;
  return slot;
}
