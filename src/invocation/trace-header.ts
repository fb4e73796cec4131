/**
 * X-Ray's trace header: continues the caller's, or starts a new one. Nothing is sampled or sent anywhere. Its `Lineage`
 * counts how often a chain of calls has come through a function, which is how Lambda detects recursive loops.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';

export type Trace = {
  /** The header for the function: `Root=...;Parent=...;Sampled=0|1;Lineage=...` */
  readonly forFunction: string;
  /** The header of the response: `root=...;parent=...;sampled=0|1` */
  readonly forCaller: string;
  /** How often the chain of calls that led to this invocation has come through this function before. */
  readonly earlierRuns: number;
};

const ROOT = /(?:^|;)\s*root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)/i;
const PARENT = /(?:^|;)\s*parent=([0-9a-f]{16})\s*(?:;|$)/i;
const SAMPLED = /(?:^|;)\s*sampled=1\s*(?:;|$)/i;
const LINEAGE = /(?:^|;)\s*lineage=([0-9a-f:|]{1,512})\s*(?:;|$)/i;

export type Traces = {
  /** Starts the trace of a new invocation. `functionArn` is unqualified. */
  start(header: string | undefined, functionArn: string): Trace;
};

/** Random bytes are read from the system in pages, because every invocation needs some. */
const PAGE_BYTES = 4096;
/** Maximum number of functions whose hash is cached. */
const MAX_CACHED_HASHES = 10_000;

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
    if (hashes.size >= MAX_CACHED_HASHES) hashes.clear();
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

/** Such as `1:037bed70:2|1:68fd508a:0`. Each entry is a version, a function, and how often it ran before its last run. */
function continueLineage(header: string | undefined, hash: string): { readonly runs: number; readonly text: string } {
  const given = header === undefined ? undefined : LINEAGE.exec(header)?.[1];
  if (given === undefined) return { runs: 0, text: `1:${hash}:0` };
  // Older SDKs and services omit the version.
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
