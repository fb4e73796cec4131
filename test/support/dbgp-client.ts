/**
 * A debugger for PHP: the part of an editor that Xdebug connects to. It speaks DBGp: https://xdebug.org/docs/dbgp
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

export class DbgpClient {
  readonly #server: Server;
  #socket: Socket | undefined;
  #received = Buffer.alloc(0);
  #transaction = 0;
  readonly #messages: string[] = [];
  #onMessage: () => void = () => undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#socket = socket;
      this.#received = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => this.#read(chunk));
    });
  }

  /** Waits for Xdebug at the port that editors use. */
  static async listen(port = 9003): Promise<DbgpClient> {
    const server = createServer();
    const client = new DbgpClient(server);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return client;
  }

  /** The next message: `<init ...>` of a session, or the state after `run`. */
  async next(): Promise<string> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#onMessage = resolve;
      });
    }
  }

  /** Sends a command and resolves with its response. */
  async command(name: string, args = '', data?: string): Promise<string> {
    this.send(name, args, data);
    return this.next();
  }

  /** Sends a command whose response comes when the program stops again. */
  send(name: string, args = '', data?: string): void {
    this.#transaction += 1;
    const encoded = data === undefined ? '' : ` -- ${Buffer.from(data).toString('base64')}`;
    this.#socket?.write(`${name} -i ${this.#transaction}${args && ` ${args}`}${encoded}\0`);
  }

  /** Ends the connection; the program continues. */
  disconnect(): void {
    this.#socket?.destroy();
  }

  async close(): Promise<void> {
    this.disconnect();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Each message has its length in front, and both end with a zero byte. */
  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const end = this.#received.indexOf(0);
      if (end === -1) return;
      const length = Number(this.#received.subarray(0, end).toString());
      if (this.#received.length < end + 1 + length + 1) return;
      this.#messages.push(this.#received.subarray(end + 1, end + 1 + length).toString());
      this.#received = this.#received.subarray(end + 1 + length + 1);
      this.#onMessage();
    }
  }
}
