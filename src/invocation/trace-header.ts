/**
 * X-Ray's trace header: made when the caller sent none, continued when it did. Nothing is sampled or sent anywhere. Its
 * `Lineage` counts how often a chain of calls has come through a function, by which Lambda knows a function that calls
 * itself in a circle. https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';

export type Trace = {
  /** As the function receives it: `Root=...;Parent=...;Sampled=0|1;Lineage=...` */
  readonly forFunction: string;
  /** As the caller is told: `root=...;parent=...;sampled=0|1` */
  readonly forCaller: string;
  /** How often the chain that led to this invocation has come through this function before. */
  readonly earlierRuns: number;
};

const ROOT = /(?:^|;)\s*root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)/i;
const PARENT = /(?:^|;)\s*parent=([0-9a-f]{16})\s*(?:;|$)/i;
const SAMPLED = /(?:^|;)\s*sampled=1\s*(?:;|$)/i;
const LINEAGE = /(?:^|;)\s*lineage=([0-9a-f:|]{1,512})\s*(?:;|$)/i;

export type Traces = {
  /** The trace of an invocation that begins now, of the function with this (unqualified) ARN. */
  start(header: string | undefined, functionArn: string): Trace;
};

/** Random identifiers are drawn from the system a page at a time: this is on the road of every invocation. */
const PAGE_BYTES = 4096;
/** Functions whose hash is held in memory. */
const REMEMBERED = 10_000;

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
  const hashes = new Map<string, string>();
  const hashOf = (arn: string): string => {
    const known = hashes.get(arn);
    if (known !== undefined) return known;
    if (hashes.size >= REMEMBERED) hashes.clear();
    const hash = createHash('sha256').update(arn).digest('hex').slice(0, 8);
    hashes.set(arn, hash);
    return hash;
  };

  return {
    start(header, functionArn) {
      const root = (header !== undefined && ROOT.exec(header)?.[1]) || newRoot();
      const parent = (header !== undefined && PARENT.exec(header)?.[1]) || random(16);
      const sampled = header !== undefined && SAMPLED.test(header) ? 1 : 0;
      const { runs, text } = continueLineage(header, hashOf(functionArn));
      return {
        forFunction: `Root=${root};Parent=${parent};Sampled=${sampled};Lineage=${text}`,
        forCaller: `root=${root};parent=${parent};sampled=${sampled}`,
        earlierRuns: runs,
      };
    },
  };
}

/** `1:037bed70:2|1:68fd508a:0`: version, function, count of the function's runs before the last one. */
function continueLineage(header: string | undefined, hash: string): { readonly runs: number; readonly text: string } {
  const given = header === undefined ? undefined : LINEAGE.exec(header)?.[1];
  if (given === undefined) return { runs: 0, text: `1:${hash}:0` };
  // Older SDKs and services write entries without the version.
  const entries = given.split('|').flatMap((entry) => {
    const [, function_, count] = /^(?:\d+:)?([0-9a-f]{8}):(\d{1,4})$/i.exec(entry) ?? [];
    return function_ === undefined ? [] : [{ function_, count: Number(count) }];
  });
  const own = entries.find(({ function_ }) => function_ === hash);
  const runs = own === undefined ? 0 : own.count + 1;
  const others = entries.filter((entry) => entry !== own);
  const text = [...others, { function_: hash, count: runs }]
    .map(({ function_, count }) => `1:${function_}:${count}`)
    .join('|');
  return { runs, text };
}
