/**
 * A kept HTTP connection that sends any bytes and reads responses strictly by RFC 9112: a response that a proxy could read
 * differently (a second status line inside, a bare CR, bytes after the end) is an error.
 */
import { createConnection, type Socket } from 'node:net';

export type RawResponse = {
  readonly status: number;
  /** Status line and header lines. */
  readonly head: readonly string[];
  readonly body: Buffer;
  /** Milliseconds from the last byte sent to the last byte received. */
  readonly ms: number;
  /** Whether the server closes the connection. */
  readonly isLast: boolean;
};

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** One connection, opened anew when the server has closed it. Requests run one after another. */
export class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = Buffer.alloc(0);
  #before: Buffer = Buffer.alloc(0);
  #sent: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** The beginning of the request before the last. */
  get before(): string {
    return quote(this.#before);
  }

  /** Sends one request. `method` decides whether the response has a body. Undefined if the server closed without one. */
  async send(method: string, bytes: Buffer, timeoutMs: number): Promise<RawResponse | undefined> {
    const isReused = this.#socket !== undefined;
    const socket = await this.#open();
    if (this.#received.length > 0)
      throw new Error(`bytes after a response to ${quote(this.#sent)}: ${quote(this.#received)}`);
    this.#before = isReused ? this.#sent : Buffer.alloc(0);
    this.#sent = bytes;
    socket.write(bytes);
    const startedAt = performance.now();
    const timer = setTimeout(() => socket.destroy(new Error('no response')), timeoutMs);
    try {
      const response = await this.#read(method, startedAt);
      if (response === undefined || response.isLast) this.close();
      // The server may close a kept connection at the moment of a request.
      if (response === undefined && isReused && performance.now() - startedAt < timeoutMs)
        return await this.send(method, bytes, timeoutMs);
      return response;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#received = Buffer.alloc(0);
  }

  async #open(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#isEnded && !this.#socket.destroyed) return this.#socket;
    this.close();
    const socket = createConnection({ host: '127.0.0.1', port: this.#port, noDelay: true });
    await new Promise<void>((settle, fail) => socket.once('connect', settle).once('error', fail));
    this.#isEnded = false;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#isEnded = true;
      this.#wake();
    });
    this.#socket = socket;
    return socket;
  }

  async #more(): Promise<boolean> {
    if (this.#isEnded) return false;
    const had = this.#received.length;
    await new Promise<void>((settle) => {
      this.#wake = settle;
    });
    return this.#received.length > had;
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #read(method: string, startedAt: number): Promise<RawResponse | undefined> {
    for (;;) {
      const end = await this.#until('\r\n\r\n', 0);
      if (end < 0) {
        if (this.#received.length > 0) throw new Error(`an unfinished response: ${quote(this.#received)}`);
        return undefined;
      }
      const head = this.#take(end + 4)
        .subarray(0, end)
        .toString('latin1')
        .split('\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3}) ?[^\r\n]*$/.exec(head[0] ?? '')?.[1]);
      if (!(status >= 100)) throw new Error(`not a status line: ${head[0]?.slice(0, 200)}`);
      if (status >= 100 && status < 200 && status !== 101) continue;
      const fields = head.slice(1).map(fieldOf);
      const values = (name: string) => fields.filter(([one]) => one === name).map(([, value]) => value);
      const lengths = new Set(values('content-length'));
      const isChunked = values('transfer-encoding').length > 0;
      if (lengths.size > 1 || (lengths.size === 1 && isChunked))
        throw new Error(`ambiguous framing: ${head.join('|')}`);
      const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
      const body = !hasBody
        ? Buffer.alloc(0)
        : isChunked
          ? await this.#chunks()
          : await this.#exactly(lengths.size === 1 ? Number([...lengths][0]) : undefined);
      const isLast = status === 101 || values('connection').some((value) => /close/i.test(value)) || this.#isEnded;
      return { status, head, body, ms: performance.now() - startedAt, isLast };
    }
  }

  /** Where `text` begins in what was received, waiting for it; -1 at the end of the connection. */
  async #until(text: string, from: number): Promise<number> {
    let searched = from;
    for (;;) {
      const at = this.#received.indexOf(text, searched);
      if (at >= 0) return at;
      searched = Math.max(from, this.#received.length - text.length);
      if (!(await this.#more()) && this.#isEnded) return -1;
    }
  }

  async #exactly(length: number | undefined): Promise<Buffer> {
    while (length === undefined || this.#received.length < length) {
      if (!(await this.#more()) && this.#isEnded) break;
    }
    if (length !== undefined && this.#received.length < length)
      throw new Error(`the connection closed after ${this.#received.length} of ${length} bytes`);
    return Buffer.from(this.#take(length ?? this.#received.length));
  }

  async #chunks(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const end = await this.#until('\r\n', 0);
      if (end < 0) throw new Error('the connection closed inside a chunked body');
      const size = Number.parseInt(this.#take(end + 2).toString('latin1'), 16);
      if (!(size >= 0)) throw new Error('not a chunk size');
      const chunk = await this.#exactly(size + 2);
      if (chunk.subarray(size).toString() !== '\r\n') throw new Error('a chunk without its end');
      if (size === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, size));
    }
  }
}

function fieldOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a header must not contain.
  if (!TOKEN.test(name) || /[\u0000-\u0008\u000a-\u001f\u007f]/.test(value))
    throw new Error(`not a header line: ${JSON.stringify(line.slice(0, 200))}`);
  return [name.toLowerCase(), value.trim()];
}

const quote = (bytes: Buffer) => JSON.stringify(bytes.subarray(0, 900).toString('latin1'));
