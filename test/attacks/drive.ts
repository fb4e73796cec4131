/**
 * Sends generated requests over a few kept connections and gathers what must not happen, by kind: an undocumented server
 * error, a response that is not HTTP, a connection closed without a response, a service that works on one for over a second.
 */
import { expect } from 'vitest';
import { Connection, type RawResponse } from './connection.ts';
import { type Random, randomFrom, type Target } from './target.ts';

export type Attack = {
  /** What is attacked: the service and operation. */
  readonly kind: string;
  readonly method: string;
  readonly bytes: Buffer;
  /** Defaults to the port of the drive. */
  readonly port?: number;
  /** Whether a response after a second is documented. */
  readonly mayTakeLong: boolean;
  /** Server errors that are documented for this request, in addition to 501 with a name. */
  readonly isDocumented?: (response: RawResponse) => boolean;
  /** What is wrong with a response, as a short text. */
  readonly check?: (response: RawResponse) => string | undefined;
};

export type Drive = {
  readonly seed: number;
  readonly count: number;
  readonly next: (random: Random) => Attack;
  readonly learn?: (text: string, kind: string, status: number) => void;
  /** Requests in flight. Defaults to 12. */
  readonly connections?: number;
  readonly everyThousand?: () => Promise<void>;
};

const HANG_MS = 1_000;
const TIMEOUT_MS = 60_000;
/** Kinds of findings that one run reports. */
const MAX_FINDINGS = 30;

/** Runs an attack. Fails at its end with one example for each kind of finding. */
export async function drive(
  target: Target,
  port: number,
  { seed, count, next, learn, everyThousand, connections = 12 }: Drive,
): Promise<void> {
  const findings = new Map<string, string>();
  const statuses = new Map<number, number>();
  let sent = 0;
  const rssBefore = target.rssBytes();
  const found = (kind: string, attack: Attack, more: string) => {
    const sample = `seed ${seed}: ${more.slice(0, 600)}\n${JSON.stringify(attack.bytes.subarray(0, 3_000).toString('latin1'))}`;
    if (!findings.has(kind) && findings.size < MAX_FINDINGS) findings.set(kind, sample);
  };
  const attackOnce = async (connection: Connection, attack: Attack) => {
    const startedAt = performance.now();
    try {
      const response = await connection.send(attack.method, attack.bytes, TIMEOUT_MS);
      if (response === undefined)
        found(`${attack.kind}: no response`, attack, `${performance.now() - startedAt} ms, after ${connection.before}`);
      return response;
    } catch (failure) {
      connection.close();
      found(`${attack.kind}: ${(failure as Error).message.slice(0, 80)}`, attack, (failure as Error).message);
      return undefined;
    }
  };
  const worker = async (index: number) => {
    const random = randomFrom(seed + index * 7_919);
    const opened = new Map<number, Connection>();
    const connectionTo = (to: number): Connection => {
      const known = opened.get(to) ?? new Connection(to);
      opened.set(to, known);
      return known;
    };
    while (sent < count) {
      sent += 1;
      const isThousandth = sent % 1_000 === 0;
      const attack = next(random);
      const busyBefore = target.busyMs();
      const response = await attackOnce(connectionTo(attack.port ?? port), attack);
      if (response !== undefined) {
        const text = response.body.toString('utf8');
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        target.expectNoSecret(text);
        if (response.status >= 500 && !isNamedRefusal(response, text) && attack.isDocumented?.(response) !== true)
          found(`${attack.kind}: ${response.status} ${text.replace(/[\d"]+/g, '').slice(0, 60)}`, attack, text);
        const wrong = attack.check?.(response);
        if (wrong !== undefined) found(`${attack.kind}: ${wrong}`, attack, `${response.head.join('\n')}\n\n${text}`);
        // A hang is time that the service works. On a busy machine responses also wait for the processor.
        if (response.ms > HANG_MS && !attack.mayTakeLong && target.busyMs() - busyBefore > HANG_MS)
          found(`${attack.kind}: slow`, attack, `${response.ms} ms`);
        if (response.body.length < 100_000) learn?.(text, attack.kind, response.status);
      }
      if (isThousandth) {
        await target.expectResponsive();
        await everyThousand?.();
      }
    }
    for (const connection of opened.values()) connection.close();
  };
  await Promise.all(Array.from({ length: connections }, (_, index) => worker(index)));
  if (process.env.LAMELLA_ATTACK_SCALE !== undefined)
    console.log(
      `${sent} requests, seed ${seed}, RSS ${megabytes(rssBefore)} to ${megabytes(target.rssBytes())} MB:`,
      [...statuses]
        .sort(([a], [b]) => a - b)
        .map(([status, times]) => `${status}: ${times}`)
        .join(', '),
    );
  expect([...findings].map(([kind, sample]) => `${kind}\n${sample}`)).toEqual([]);
}

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);

/** An operation or method that Lamella names as not supported. */
function isNamedRefusal({ status }: RawResponse, text: string): boolean {
  return (status === 501 && (text === '' || /NotImplemented|not support/i.test(text))) || status === 505;
}
