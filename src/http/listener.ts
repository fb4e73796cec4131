/**
 * Binds an HTTP server to an address and closes it. Routes, protocols and access control (`http/guard.ts`) belong to
 * the handler. Node's request timeouts are off: GET next of the Runtime API may wait for hours.
 */
import { createServer } from 'node:http';
import { type AddressInfo, type Socket, Server as TcpServer } from 'node:net';
import { type Cancel, systemClock } from '../clock.ts';
import type { Closeable } from '../lifetime.ts';
import { OperatorError } from '../operator-error.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from './exchange.ts';

export interface Listener extends Closeable {
  readonly host: string;
  /** The port in use, also when the options gave 0. */
  readonly port: number;
  /** Stops accepting connections, gives requests in flight `graceMs` milliseconds, then cuts them. */
  drain(graceMs: number): Promise<void>;
  /** Cuts every connection at once. */
  close(): Promise<void>;
}

export type ListenOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A server that already listens at `host` and `port`, in another network namespace. The listener closes it. */
  readonly server?: TcpServer | undefined;
  readonly handler: HttpHandler;
  /**
   * Maximum size of the request line and all headers. Longer ones get 431. Defaults to Node's limits: 16 KiB, and
   * headers after the 2000th are dropped.
   */
  readonly maxHeaderBytes?: number;
  /** How long a client may take to send the request line and headers. Slower ones get 408. Defaults to no limit. */
  readonly headTimeoutMs?: number;
  /** Handles pipelined requests of a connection one after the other, as the Runtime API's server on AWS (in Go) does. */
  readonly inOrder?: boolean;
  /** Called with the error of a handler that throws or rejects. */
  readonly onFailure: (failure: unknown) => void;
};

/** How often a draining server checks for idle connections, in milliseconds. */
const IDLE_SWEEP_MS = 20;

/** Listens. The caller closes the listener. @throws OperatorError 'port-in-use' or 'cannot-listen' */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { maxHeaderBytes, headTimeoutMs = 0 } = options;
  const server = createServer({
    keepAlive: true,
    noDelay: true,
    requestTimeout: 0,
    headersTimeout: headTimeoutMs,
    // Node checks for slow clients at this interval, 30 s by default.
    ...(headTimeoutMs > 0 && { connectionsCheckingInterval: Math.min(30_000, headTimeoutMs) }),
    ...(maxHeaderBytes !== undefined && { maxHeaderSize: maxHeaderBytes }),
  });
  if (maxHeaderBytes !== undefined) server.maxHeadersCount = 0;
  server.keepAliveTimeout = 0;
  server.timeout = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const handle = (request: HttpRequest, response: HttpResponse) => {
    const fail = (failure: unknown) => {
      options.onFailure(failure);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    };
    try {
      const handled = options.handler(request, response);
      if (handled !== undefined) handled.catch(fail);
    } catch (failure) {
      fail(failure);
    }
  };
  server.on('request', options.inOrder ? afterTheLast(handle) : handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (failure: NodeJS.ErrnoException) => {
      const { host, port } = options;
      reject(
        failure.code === 'EADDRINUSE'
          ? new OperatorError('port-in-use', { host, port }, failure)
          : new OperatorError('cannot-listen', { host, port, reason: failure.message }, failure),
      );
    });
    if (options.server) server.listen(options.server, () => resolve());
    else server.listen({ host: options.host, port: options.port, backlog: 511 }, () => resolve());
  });
  // A connection that cannot be accepted, for example for lack of descriptors. The others stay.
  server.on('error', (failure) => options.onFailure(failure));
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    async drain(graceMs) {
      // Not `server.close()`: Node counts a connection as idle once the response is handed to the socket, and would cut
      // it while a slow client still reads. It would also keep alive the connections that become idle later.
      TcpServer.prototype.close.call(server);
      let cancelSweep: Cancel = () => undefined;
      const closeIdle = () => {
        if ([...sockets].every((socket) => socket.writableLength === 0)) server.closeIdleConnections();
        cancelSweep = systemClock.after(IDLE_SWEEP_MS, closeIdle);
      };
      closeIdle();
      const cancelCut = systemClock.after(graceMs, () => server.closeAllConnections());
      await closed;
      cancelSweep();
      cancelCut();
      // Stops Node's check for slow clients too, which would keep the server in memory.
      server.close();
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Handle = (request: HttpRequest, response: HttpResponse) => void;

/** Node sends pipelined responses in order, but calls the handler for each request at once. */
function afterTheLast(handle: Handle): Handle {
  const last = new WeakMap<Socket, HttpResponse>();
  return (request, response) => {
    const before = last.get(request.socket);
    last.set(request.socket, response);
    if (before === undefined || before.writableFinished) handle(request, response);
    else before.once('close', () => before.writableFinished && handle(request, response));
  };
}
