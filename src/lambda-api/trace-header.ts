/** X-Ray's trace header: made when the caller sent none, continued when it did. Nothing is sampled or sent anywhere. */
import { randomBytes } from 'node:crypto';

export type Trace = {
  /** As the function receives it: `Root=...;Parent=...;Sampled=0|1` */
  readonly forFunction: string;
  /** As the caller is told: `root=...;parent=...;sampled=0|1` */
  readonly forCaller: string;
};

const ROOT = /(?:^|;)\s*root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)/i;
const PARENT = /(?:^|;)\s*parent=([0-9a-f]{16})\s*(?:;|$)/i;
const SAMPLED = /(?:^|;)\s*sampled=1\s*(?:;|$)/i;

/** The trace of an invocation that begins now. */
export function startTrace(header: string | undefined, epochMs: number): Trace {
  const root = (header !== undefined && ROOT.exec(header)?.[1]) || newRoot(epochMs);
  const parent = (header !== undefined && PARENT.exec(header)?.[1]) || random(8);
  const sampled = header !== undefined && SAMPLED.test(header) ? 1 : 0;
  return {
    forFunction: `Root=${root};Parent=${parent};Sampled=${sampled}`,
    forCaller: `root=${root};parent=${parent};sampled=${sampled}`,
  };
}

function newRoot(epochMs: number): string {
  const seconds = Math.floor(epochMs / 1000)
    .toString(16)
    .padStart(8, '0');
  return `1-${seconds}-${random(12)}`;
}

/** Random hexadecimal digits, drawn from the system a page at a time. */
function random(bytes: number): string {
  if (drawn + bytes > pool.length) {
    pool = randomBytes(4096);
    drawn = 0;
  }
  drawn += bytes;
  return pool.toString('hex', drawn - bytes, drawn);
}

let pool = randomBytes(0);
let drawn = 0;
