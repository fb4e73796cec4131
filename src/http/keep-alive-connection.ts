/**
 * A client's HTTP/1.1 connection to one server: one socket, one exchange at a time, kept open between exchanges. For
 * runtimes and extensions, which call the same server all the time and where microseconds count: reads share one
 * buffer, and a request is one write. Not a general client: no TLS, no redirects, no pool (see `client.ts`).
 *
 * An exchange in progress keeps the process alive until `unref`. An idle connection does not.
 */
import { createConnection, type Socket } from 'node:net';

export type ConnectionResponse = {
  readonly status: number;
  /** The value of a header. `name` is in lower case; the value's bytes are read as Latin-1. */
  header(name: string): string | undefined;
  readonly body: Buffer;
};

/** A request whose body is sent in pieces. */
export type ChunkedRequest = {
  /** Sends a piece, and calls `sent` once the socket has taken it. An empty piece sends nothing. */
  write(piece: Uint8Array | string, sent: (failure?: Error | null) => void): void;
  /** Sends the last chunk. `trailers` are complete header lines. */
  end(trailers?: string): void;
  /** The server's response, which may arrive before the request ends. */
  readonly response: Promise<ConnectionResponse>;
};

/** The connection could not be made, or broke before the response was complete. */
export class ConnectionLost extends Error {
  /** Whether the connection was established. */
  readonly wasConnected: boolean;

  constructor(wasConnected: boolean, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'ConnectionLost';
    this.wasConnected = wasConnected;
  }
}

type Exchange = { resolve(response: ConnectionResponse): void; reject(failure: ConnectionLost): void };

const READ_BYTES = 64 * 1024;
/** Bodies up to this size are joined with the head into one write. Above it, copying costs more than a second write. */
const JOIN_BYTES = 64 * 1024;

export class KeepAliveConnection {
  readonly #host: string;
  readonly #port: number;
  readonly #hostLine: string;
  #socket: Socket | undefined;
  #isConnected = false;
  #exchange: Exchange | undefined;
  #reader = new ResponseReader();

  /** Creates a connection to `host:port`. @throws Error for an invalid address */
  static to(address: string): KeepAliveConnection {
    const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? [];
    if (host === undefined) throw new Error(`Invalid address '${address}': use host:port.`);
    return new KeepAliveConnection(host.replace(/^\[(.*)\]$/, '$1'), Number(port));
  }

  /** Creates a connection, which is opened by the first request. */
  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
    this.#hostLine = `Host: ${host.includes(':') ? `[${host}]` : host}:${port}\r\n`;
  }

  /**
   * Sends a request and reads the complete response. `headers` are complete lines, each with CR LF. Rejects with
   * `ConnectionLost`. The next request then opens a new connection.
   */
  send(method: string, path: string, headers = '', body?: string | Uint8Array): Promise<ConnectionResponse> {
    const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\n${this.#hostLine}${headers}${length}\r\n`;
    return this.#begin((socket) => {
      if (body === undefined) socket.write(head, 'latin1');
      // The head is ASCII, so one string holds both.
      else if (typeof body === 'string') socket.write(head + body);
      else if (body.length <= JOIN_BYTES) socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body]));
      else {
        socket.cork();
        socket.write(head, 'latin1');
        socket.write(body);
        socket.uncork();
      }
    });
  }

  /** Starts a request with a chunked body. The head is sent with the first piece, or with the end. */
  sendChunked(method: string, path: string, headers: () => string): ChunkedRequest {
    let unsentHead: (() => string) | undefined = () =>
      `${method} ${path} HTTP/1.1\r\n${this.#hostLine}${headers()}Transfer-Encoding: chunked\r\n\r\n`;
    let open: Socket | undefined;
    const response = this.#begin((socket) => {
      open = socket;
    });
    const put = (parts: readonly (string | Uint8Array)[], sent?: (failure?: Error | null) => void) => {
      // A lost socket rejects the response. The writer must learn of it too.
      if (open === undefined || open.destroyed) {
        sent?.(new ConnectionLost(true, 'the connection is closed'));
        return;
      }
      open.cork();
      if (unsentHead) open.write(unsentHead(), 'latin1');
      unsentHead = undefined;
      const last = parts.length - 1;
      parts.forEach((part, index) => {
        if (index === last && sent) open?.write(part, sent);
        else open?.write(part);
      });
      open.uncork();
    };
    return {
      write(piece, sent) {
        const bytes = Buffer.byteLength(piece);
        if (bytes === 0) sent();
        else put([`${bytes.toString(16)}\r\n`, piece, '\r\n'], sent);
      },
      end: (trailers = '') => put([`0\r\n${trailers}\r\n`]),
      response,
    };
  }

  /** Lets the process exit while an exchange is in progress. */
  unref(): void {
    this.#socket?.unref();
  }

  /** Closes the connection. An exchange in progress fails. */
  close(): void {
    this.#socket?.destroy();
  }

  #begin(write: (socket: Socket) => void): Promise<ConnectionResponse> {
    if (this.#exchange) throw new Error('the previous exchange has not ended');
    return new Promise((resolve, reject) => {
      this.#exchange = { resolve, reject };
      const socket = this.#socket ?? this.#connect();
      socket.ref();
      write(socket);
    });
  }

  #connect(): Socket {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const socket = createConnection({
      host: this.#host,
      port: this.#port,
      noDelay: true,
      onread: {
        buffer,
        callback: (count) => {
          this.#take(socket, buffer.subarray(0, count));
          return true;
        },
      },
    });
    this.#socket = socket;
    this.#isConnected = false;
    this.#reader = new ResponseReader();
    let failure: Error | undefined;
    socket.once('connect', () => {
      this.#isConnected = true;
    });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#fail(
        new ConnectionLost(this.#isConnected, failure?.message ?? 'the server closed the connection', failure),
      );
    });
    return socket;
  }

  #take(socket: Socket, bytes: Buffer): void {
    let response: ConnectionResponse | undefined;
    try {
      response = this.#reader.read(bytes);
    } catch (failure) {
      socket.destroy(failure as Error);
      return;
    }
    if (response === undefined) return;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    // An idle connection must not keep the process alive. The next exchange refs it again.
    socket.unref();
    if (this.#reader.mustClose) {
      this.#socket = undefined;
      socket.destroy();
    }
    exchange?.resolve(response);
  }

  #fail(failure: ConnectionLost): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.reject(failure);
  }
}

type Body =
  | { readonly kind: 'length'; readonly bytes: Buffer; filled: number }
  | { readonly kind: 'chunked'; readonly pieces: Buffer[]; left: number };

/** Parses responses, one after the other, from the bytes that arrive. Keeps no reference to those bytes. */
class ResponseReader {
  /** Whether the last response had `Connection: close`. */
  mustClose = false;
  #rest: Buffer | undefined;
  #head: Head | undefined;
  #body: Body | undefined;

  /** Returns the response once it is complete. @throws Error for bytes that are not HTTP/1.1 */
  read(arrived: Buffer): ConnectionResponse | undefined {
    let bytes = this.#rest ? Buffer.concat([this.#rest, arrived]) : arrived;
    this.#rest = undefined;
    while (this.#head === undefined) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) {
        this.#rest = Buffer.from(bytes);
        return undefined;
      }
      const head = new Head(bytes.toString('latin1', 0, end));
      bytes = bytes.subarray(end + 4);
      // 1xx responses such as 100 Continue precede the response.
      if (head.status >= 200) this.#begin(head);
    }
    const body = this.#body as Body;
    const isWhole = body.kind === 'length' ? fill(body, bytes) : this.#dechunk(body, bytes);
    if (!isWhole) return undefined;
    const head = this.#head;
    this.#head = undefined;
    this.#body = undefined;
    return {
      status: head.status,
      header: (name) => head.get(name),
      body: body.kind === 'length' ? body.bytes : Buffer.concat(body.pieces),
    };
  }

  #begin(head: Head): void {
    this.#head = head;
    this.mustClose = head.get('connection')?.toLowerCase() === 'close';
    const isChunked = head.get('transfer-encoding')?.toLowerCase().endsWith('chunked');
    if (isChunked) this.#body = { kind: 'chunked', pieces: [], left: 0 };
    else {
      const length = Number(head.get('content-length') ?? 0);
      this.#body = { kind: 'length', bytes: Buffer.allocUnsafe(length), filled: 0 };
    }
  }

  /** `left` counts down the rest of the current chunk, including its CR LF. */
  #dechunk(body: Extract<Body, { kind: 'chunked' }>, bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (body.left > 0) {
        const count = Math.min(body.left, bytes.length - at);
        const data = Math.min(count, Math.max(0, body.left - 2));
        if (data > 0) body.pieces.push(Buffer.from(bytes.subarray(at, at + data)));
        body.left -= count;
        at += count;
        continue;
      }
      const end = bytes.indexOf('\r\n', at);
      if (end === -1) break;
      const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
      if (!(size >= 0)) throw new Error('the response has a chunk without a size');
      if (size > 0) {
        body.left = size + 2;
        at = end + 2;
        continue;
      }
      // The last chunk. Trailers are ignored; they end with an empty line.
      if (bytes.toString('latin1', end + 2, end + 4) === '\r\n' || bytes.indexOf('\r\n\r\n', end) !== -1) return true;
      break;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return false;
  }
}

function fill(body: Extract<Body, { kind: 'length' }>, bytes: Buffer): boolean {
  body.filled += bytes.copy(body.bytes, body.filled);
  return body.filled === body.bytes.length;
}

/** Status and headers of a response. Headers are looked up in the text: most are never read, so a map costs more. */
class Head {
  readonly status: number;
  readonly #text: string;
  readonly #lowered: string;

  constructor(text: string) {
    this.#text = text;
    this.#lowered = text.toLowerCase();
    this.status = Number(text.slice(9, 12));
    if (!text.startsWith('HTTP/1.') || !(this.status >= 100)) throw new Error('the response is not HTTP/1.1');
  }

  get(name: string): string | undefined {
    const start = this.#lowered.indexOf(`\r\n${name}:`);
    if (start === -1) return undefined;
    const value = start + name.length + 3;
    const end = this.#text.indexOf('\r\n', value);
    return this.#text.slice(value, end === -1 ? undefined : end).trim();
  }
}
