/** X-Ray's trace header: made when the caller sent none, continued when it did. Nothing is sampled or sent anywhere. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';

export type Trace = {
  /** As the function receives it: `Root=...;Parent=...;Sampled=0|1` */
  readonly forFunction: string;
  /** As the caller is told: `root=...;parent=...;sampled=0|1` */
  readonly forCaller: string;
};

const ROOT = /(?:^|;)\s*root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)/i;
const PARENT = /(?:^|;)\s*parent=([0-9a-f]{16})\s*(?:;|$)/i;
const SAMPLED = /(?:^|;)\s*sampled=1\s*(?:;|$)/i;

export type Traces = {
  /** The trace of an invocation that begins now. */
  start(header: string | undefined): Trace;
};

/** Random identifiers are drawn from the system a page at a time: this is on the road of every invocation. */
const PAGE_BYTES = 4096;

export function createTraces(clock: Clock): Traces {
  let page = '';
  let drawn = 0;
  const random = (digits: number): string => {
    if (drawn + digits > page.length) {
      page = randomBytes(PAGE_BYTES).toString('hex');
      drawn = 0;
    }
    drawn += digits;
    return page.slice(drawn - digits, drawn);
  };
  const newRoot = () => {
    const seconds = Math.floor(clock.epochMs() / 1000);
    return `1-${seconds.toString(16).padStart(8, '0')}-${random(24)}`;
  };

  return {
    start(header) {
      const root = (header !== undefined && ROOT.exec(header)?.[1]) || newRoot();
      const parent = (header !== undefined && PARENT.exec(header)?.[1]) || random(16);
      const sampled = header !== undefined && SAMPLED.test(header) ? 1 : 0;
      return {
        forFunction: `Root=${root};Parent=${parent};Sampled=${sampled}`,
        forCaller: `root=${root};parent=${parent};sampled=${sampled}`,
      };
    },
  };
}
