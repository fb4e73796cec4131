/**
 * Observes functions that are invoked asynchronously: a function posts each event to an HTTP server of the test, whose response
 * decides what the function returns.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { shellRuntime } from './function-zip.ts';

/** A runtime that posts each event to $LISTENER. For a response with status 200 it returns the body, otherwise it fails. */
export const LISTENING_RUNTIME = shellRuntime(
  `  TRACE=$(sed -n 's/^[Ll]ambda-[Rr]untime-[Tt]race-[Ii]d: *//p' "$HEADERS" | tr -d '\\r\\n')
  ARN=$(sed -n 's/^[Ll]ambda-[Rr]untime-[Ii]nvoked-[Ff]unction-[Aa]rn: *//p' "$HEADERS" | tr -d '\\r\\n')
  printf '%s' "$EVENT" > "$HEADERS.event"
  STATUS=$(curl -sS -o "$HEADERS.respond" -w '%{http_code}' -H "Request-Id: $ID" -H "Trace: $TRACE" -H "Arn: $ARN" \\
    -H 'Expect:' --data-binary @"$HEADERS.event" "$LISTENER")
  if [ "$STATUS" = 200 ]; then respond "@$HEADERS.respond"; else fail "@$HEADERS.respond"; fi
  rm -f "$HEADERS"*`,
);

export type Seen = {
  readonly requestId: string;
  readonly event: unknown;
  readonly trace: string;
  readonly arn: string;
};

export type ListenerResponse = { readonly status: number; readonly body?: unknown };

export type Listener = {
  readonly url: string;
  /** Resolves with the next run of a function that was not returned yet. */
  next(name: string, timeoutMs?: number): Promise<Seen>;
  /** The number of runs that `next` has not returned yet. */
  waiting(name: string): number;
  /** All runs so far. */
  seen(name: string): readonly Seen[];
  /** Sets the function's response from now on. Defaults to `null`. */
  respond(name: string, decide: (seen: Seen) => ListenerResponse | Promise<ListenerResponse>): void;
  close(): Promise<void>;
};

export async function listenForEvents(): Promise<Listener> {
  const seen = new Map<string, Seen[]>();
  const taken = new Map<string, number>();
  const responses = new Map<string, (seen: Seen) => ListenerResponse | Promise<ListenerResponse>>();
  let wake: (() => void)[] = [];
  const runsOf = (name: string) => {
    const runs = seen.get(name) ?? [];
    seen.set(name, runs);
    return runs;
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const name = (request.url ?? '/').slice(1);
      const run: Seen = {
        requestId: one(request.headers, 'request-id'),
        trace: one(request.headers, 'trace'),
        arn: one(request.headers, 'arn'),
        event: JSON.parse(Buffer.concat(chunks).toString()),
      };
      runsOf(name).push(run);
      for (const tell of wake.splice(0)) tell();
      const { status, body = null } = (await responses.get(name)?.(run)) ?? { status: 200 };
      response.writeHead(status).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async next(name, timeoutMs = 20_000) {
      const index = taken.get(name) ?? 0;
      taken.set(name, index + 1);
      let expire: NodeJS.Timeout | undefined;
      const expired = new Promise<never>((_, reject) => {
        const fail = () => reject(new Error(`${name} did not run within ${timeoutMs} ms`));
        expire = setTimeout(fail, timeoutMs);
      });
      try {
        for (;;) {
          const run = runsOf(name)[index];
          if (run !== undefined) return run;
          await Promise.race([new Promise<void>((resolve) => wake.push(resolve)), expired]);
        }
      } finally {
        clearTimeout(expire);
      }
    },
    waiting: (name) => runsOf(name).length - (taken.get(name) ?? 0),
    seen: (name) => runsOf(name),
    respond: (name, decide) => void responses.set(name, decide),
    close: () =>
      new Promise((resolve) => {
        wake = [];
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function one(headers: IncomingHttpHeaders, name: string): string {
  return String(headers[name] ?? '');
}

/** Repeats an assertion until it holds. Throws its last error after the timeout. */
export async function eventually(assertion: () => void | Promise<void>, timeoutMs = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (failure) {
      if (performance.now() > end) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
