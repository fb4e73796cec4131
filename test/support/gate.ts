/** Where functions and tests wait for each other: a function requests a path, and continues when the test opens it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Gate = {
  /** Functions append a name and request it: `${url}/written`. */
  readonly url: string;
  /** Resolves with the query when a function has requested `name`. */
  arrived(name: string): Promise<URLSearchParams>;
  /** Responds to every request for `name`, pending and future. */
  open(name: string): void;
  close(): void;
};

export async function startGate(): Promise<Gate> {
  const places = new Map<string, { arrived: PromiseWithQuery; opened: Signal }>();
  const place = (name: string) => {
    const known = places.get(name) ?? { arrived: withResolver<URLSearchParams>(), opened: withResolver<void>() };
    places.set(name, known);
    return known;
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://gate');
    const { arrived, opened } = place(pathname.slice(1));
    arrived.resolve(searchParams);
    await opened.promise;
    response.end();
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived: (name) => place(name).arrived.promise,
    open: (name) => place(name).opened.resolve(),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

type PromiseWithQuery = ReturnType<typeof withResolver<URLSearchParams>>;
type Signal = ReturnType<typeof withResolver<void>>;

function withResolver<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
