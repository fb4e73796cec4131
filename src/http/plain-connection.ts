/**
 * Serves the plain requests of a connection without Node's HTTP server, whose objects for each request cost more than the
 * request itself: a plain request arrives in one chunk as a rule, and its response is one write. The first request that is
 * not plain, or that `takes` refuses, goes to Node's server with the rest of the connection. Requests are handled one
 * after the other.
 */
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { systemClock } from '../clock.ts';
import { type HttpRequest, type HttpResponse, STATUS_TEXTS } from './exchange.ts';
import { type PlainHead, type PlainHeaders, PlainRequests } from './plain-request.ts';

export type PlainRequest = {
  readonly kind: 'plain';
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: PlainHeaders['values'];
  readonly trailers: Readonly<Record<string, undefined>>;
  readonly socket: Socket;
  /** The body, if all of it arrived with the head. */
  readonly wholeBody: Buffer | undefined;
  /** The body. It must be read, destroyed or resumed, unless it was whole. */
  readonly body: Readable;
  /** Whether all of the body has arrived. */
  readonly complete: boolean;
  /** Discards the body. */
  resume(): void;
};

/** A response as one write. */
export type PlainResponse = {
  readonly headersSent: boolean;
  /** The headers are alternating names and values, or an object. */
  writeHead(status: number, headers: readonly string[] | PlainResponseHeaders): PlainResponse;
  end(body?: string | Buffer): void;
  /** Called if the connection closes before `end`. */
  once(event: 'close', listener: () => void): void;
  destroy(): void;
};

export type PlainResponseHeaders = Readonly<Record<string, string | number>>;

/** What a handler gets that serves the requests of both servers. */
export type AnyRequest = HttpRequest | PlainRequest;
export type AnyResponse = HttpResponse | PlainResponse;

export function isPlain(request: AnyRequest): request is PlainRequest {
  return 'kind' in request;
}

/** The body of a request as a stream. */
export function bodyOf(request: AnyRequest): Readable {
  return isPlain(request) ? request.body : request;
}

export type PlainHandler = (request: PlainRequest, response: PlainResponse) => void;

export type PlainConnectionOptions = {
  readonly takes: (head: PlainHead, socket: Socket) => boolean;
  readonly handler: PlainHandler;
  /** Gets the socket with bytes that it must read first. */
  readonly leave: (socket: Socket, bytes: Buffer) => void;
};

/** Bytes of further requests that are read while one is in progress. */
const MAX_AHEAD_BYTES = 64 * 1024;
/** Up to this size a body is copied into the same write as the head. */
const JOIN_BYTES = 16 * 1024;
const NO_TRAILERS = {};
const NO_BYTES = Buffer.alloc(0);

export class PlainConnection {
  readonly #socket: Socket;
  readonly #options: PlainConnectionOptions;
  readonly #requests = new PlainRequests();
  #exchange: Exchange | undefined;
  #ahead: Buffer = NO_BYTES;

  constructor(socket: Socket, options: PlainConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
  }

  get isIdle(): boolean {
    return this.#exchange === undefined && this.#socket.writableLength === 0;
  }

  /** Bytes that were received and not handled yet. */
  get aheadBytes(): number {
    return this.#ahead.length;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#exchange === undefined) this.#begin(chunk);
    else {
      const rest = this.#exchange.receive(chunk);
      if (rest.length > 0) this.#keep(rest);
    }
  };

  readonly #onEnd = (): void => {
    this.#exchange?.cut();
    this.#socket.end();
  };

  readonly #onClose = (): void => {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.close();
  };

  #begin(bytes: Buffer): void {
    const head = this.#requests.parse(bytes);
    if (head === undefined || !this.#options.takes(head, this.#socket)) {
      this.#leave(bytes);
      return;
    }
    const exchange = new Exchange(this.#socket, head, () => this.#next());
    this.#exchange = exchange;
    const rest = exchange.receive(bytes.length === head.headBytes ? NO_BYTES : bytes.subarray(head.headBytes));
    if (rest.length > 0) this.#keep(rest);
    this.#options.handler(exchange, exchange);
  }

  #keep(bytes: Buffer): void {
    this.#ahead = this.#ahead.length === 0 ? bytes : Buffer.concat([this.#ahead, bytes]);
    if (this.#ahead.length > MAX_AHEAD_BYTES) this.#socket.pause();
  }

  /** The exchange has ended. */
  #next(): void {
    this.#exchange = undefined;
    if (this.#socket.writableNeedDrain) {
      // A client that does not read its responses gets no more.
      this.#socket.pause();
      this.#socket.once('drain', this.#continue);
    } else if (this.#ahead.length > 0) process.nextTick(this.#continue);
  }

  readonly #continue = (): void => {
    if (this.#exchange !== undefined || this.#socket.destroyed) return;
    this.#socket.resume();
    const bytes = this.#ahead;
    this.#ahead = NO_BYTES;
    if (bytes.length > 0) this.#begin(bytes);
  };

  #leave(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', ignore);
    this.#options.leave(socket, bytes);
  }
}

function ignore(): void {}

/** One request and its response. */
class Exchange implements PlainRequest, PlainResponse {
  readonly kind = 'plain';
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: PlainHeaders['values'];
  readonly trailers = NO_TRAILERS;
  readonly socket: Socket;
  wholeBody: Buffer | undefined;
  headersSent = false;
  readonly #onDone: () => void;
  #missing: number;
  #body: Readable | undefined;
  #head = '';
  #isChunked = false;
  #hasEnded = false;
  #onClose: (() => void) | undefined;

  constructor(socket: Socket, { method, url, headers }: PlainHead, onDone: () => void) {
    this.socket = socket;
    this.method = method;
    this.url = url;
    this.headers = headers.values;
    this.#missing = headers.contentLength ?? 0;
    this.#onDone = onDone;
  }

  get complete(): boolean {
    return this.#missing === 0;
  }

  get body(): Readable {
    this.#body ??= this.wholeBody === undefined ? this.#createBody() : Readable.from([this.wholeBody]);
    return this.#body;
  }

  /** Takes the bytes that belong to the body, and returns the others. */
  receive(bytes: Buffer): Buffer {
    const missing = this.#missing;
    if (missing === 0) {
      this.wholeBody ??= this.#body === undefined ? NO_BYTES : undefined;
      return bytes;
    }
    const part = bytes.length <= missing ? bytes : bytes.subarray(0, missing);
    this.#missing = missing - part.length;
    if (this.#missing === 0 && this.#body === undefined) this.wholeBody = part;
    else if (part.length > 0) {
      if (!this.body.destroyed && !this.body.push(part)) this.socket.pause();
      if (this.#missing === 0) this.body.push(null);
    }
    if (this.#missing === 0 && this.#hasEnded) this.#onDone();
    return bytes.length <= missing ? NO_BYTES : bytes.subarray(missing);
  }

  /** The client sends no more. */
  cut(): void {
    if (this.#missing > 0) this.body.destroy();
  }

  /** The connection is closed. */
  close(): void {
    this.cut();
    if (!this.#hasEnded) this.#onClose?.();
  }

  resume(): void {
    if (this.#missing > 0 || this.#body !== undefined) this.body.resume();
  }

  writeHead(status: number, headers: readonly string[] | PlainResponseHeaders): this {
    const fields = isList(headers) ? headers : Object.entries(headers).flat();
    let head = `HTTP/1.1 ${status} ${STATUS_TEXTS[status]}\r\n`;
    let isSized = status === 204;
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const name = fields[at];
      head += `${name}: ${fields[at + 1]}\r\n`;
      isSized ||= name === 'Content-Length';
    }
    this.#isChunked = !isSized;
    this.#head = `${head}Date: ${httpDate()}\r\nConnection: keep-alive\r\n${isSized ? '' : 'Transfer-Encoding: chunked\r\n'}\r\n`;
    this.headersSent = true;
    return this;
  }

  end(body: string | Buffer = NO_BYTES): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { socket } = this;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const [before, after] = this.#isChunked
      ? [`${this.#head}${bytes.length.toString(16)}\r\n`, '\r\n0\r\n\r\n']
      : [this.#head, ''];
    // Latin-1 maps each byte to one character, so that a string holds head and body.
    if (bytes.length <= JOIN_BYTES) socket.write(before + bytes.toString('latin1') + after, 'latin1');
    else {
      socket.cork();
      socket.write(before, 'latin1');
      socket.write(bytes);
      if (after !== '') socket.write(after, 'latin1');
      socket.uncork();
    }
    if (this.#missing === 0) this.#onDone();
    else this.resume();
  }

  once(_event: 'close', listener: () => void): void {
    this.#onClose = listener;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #createBody(): Readable {
    const { socket } = this;
    const body = new Readable({
      read: () => socket.resume(),
      // As with Node's requests, destroying a body before its end closes the connection.
      destroy: (failure, done) => {
        if (this.#missing > 0) socket.destroy();
        done(failure);
      },
    });
    body.on('error', ignore);
    return body;
  }
}

function isList(headers: readonly string[] | PlainResponseHeaders): headers is readonly string[] {
  return Array.isArray(headers);
}

let date = '';
let dateSecond = 0;

/** As in the header Date, cached for a second as Node does. */
function httpDate(): string {
  const now = systemClock.epochMs();
  if (now - dateSecond >= 1000) {
    dateSecond = now - (now % 1000);
    date = new Date(now).toUTCString();
  }
  return date;
}
