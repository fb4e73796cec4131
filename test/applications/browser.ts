/**
 * The parts of a browser that a person needs for a web application: it keeps cookies, follows redirects, and submits forms with
 * their default values. It connects to one address for every host name.
 */
import { request } from 'node:http';

export type Page = {
  readonly status: number;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly bytes: Buffer;
  /** The body as text. */
  readonly text: string;
};

export type Upload = { readonly filename: string; readonly type: string; readonly bytes: Buffer };
export type Fields = Readonly<Record<string, string | Upload>>;

const MAX_REDIRECTS = 10;

export class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #address: { readonly host: string; readonly port: number };
  readonly #base: URL;
  readonly #isReady: () => Promise<void>;

  /**
   * `base` is the URL in the address bar, `address` (such as `127.0.0.1:3000`) the server. Each request waits for `isReady`.
   */
  constructor(base: string, address: string, isReady: () => Promise<void>) {
    this.#base = new URL(base);
    this.#isReady = isReady;
    const [host = '', port = '80'] = address.split(':');
    this.#address = { host, port: Number(port) };
  }

  get cookies(): ReadonlyMap<string, string> {
    return this.#cookies;
  }

  get(path: string | URL, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
    return this.#follow('GET', new URL(path, this.#base), headers);
  }

  post(path: string | URL, body: Buffer, headers: Readonly<Record<string, string>>): Promise<Page> {
    return this.#follow('POST', new URL(path, this.#base), headers, body);
  }

  /** Fills in the form of `page` whose tag matches `form`, and submits it like a browser. The value '' clears a field. */
  submit(page: Page, form: RegExp, fields: Fields): Promise<Page> {
    const found = formsOf(page.text).find(({ tag, content }) => form.test(tag) || form.test(content));
    if (found === undefined) throw new Error(`${page.url} has no form like ${form}:\n${page.text.slice(0, 2000)}`);
    const action = new URL(attribute(found.tag, 'action') || page.url, page.url);
    const all = { ...fieldsOf(found.content), ...fields };
    const method = (attribute(found.tag, 'method') ?? 'get').toUpperCase();
    if (method === 'GET') {
      action.search = query(all);
      return this.get(action);
    }
    const headers = { referer: page.url.href, origin: page.url.origin };
    if (/multipart/i.test(attribute(found.tag, 'enctype') ?? '')) {
      const { body, type } = multipart(all);
      return this.post(action, body, { ...headers, 'content-type': type });
    }
    return this.post(action, Buffer.from(query(all)), {
      ...headers,
      'content-type': 'application/x-www-form-urlencoded',
    });
  }

  async #follow(method: string, url: URL, headers: Readonly<Record<string, string>>, body?: Buffer): Promise<Page> {
    let page = await this.#once(method, url, headers, body);
    for (let hops = 0; page.status >= 300 && page.status < 400 && page.headers.location !== undefined; hops++) {
      if (hops === MAX_REDIRECTS) throw new Error(`${url} redirects endlessly, last to ${page.headers.location}`);
      const next = new URL(page.headers.location, page.url);
      if (next.host !== this.#base.host) throw new Error(`${page.url} redirects to another host: ${next}`);
      const again = page.status === 307 || page.status === 308;
      page = again ? await this.#once(method, next, headers, body) : await this.#once('GET', next, {});
    }
    return page;
  }

  async #once(method: string, url: URL, headers: Readonly<Record<string, string>>, body?: Buffer): Promise<Page> {
    await this.#isReady();
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = {
      host: url.host,
      accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
      ...(cookie !== '' && { cookie }),
      ...(body !== undefined && { 'content-length': String(body.length) }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const path = `${url.pathname}${url.search}`;
      const asked = request({ ...this.#address, method, path, headers: sent, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () => {
          for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line);
          const bytes = Buffer.concat(chunks);
          const received = answer.headers as Record<string, string>;
          resolve({ status: answer.statusCode ?? 0, url, headers: received, bytes, text: bytes.toString() });
        });
      });
      asked.once('error', reject);
      asked.end(body);
    });
  }

  #keep(line: string): void {
    const [pair = '', ...rest] = line.split(';');
    const [name = '', ...value] = pair.trim().split('=');
    const expires = /^\s*expires=(.+)$/i.exec(rest.find((part) => /^\s*expires=/i.test(part)) ?? '')?.[1];
    const isOver = (expires !== undefined && Date.parse(expires) < Date.now()) || /max-age=(0|-)/i.test(rest.join(';'));
    if (isOver) this.#cookies.delete(name);
    else this.#cookies.set(name, value.join('='));
  }
}

/** The value of an attribute, with its entities decoded. */
export function attribute(tag: string, name: string): string | undefined {
  const match = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>"']+))`, 'i').exec(tag);
  return match === null ? undefined : decoded(match[1] ?? match[2] ?? match[3] ?? '');
}

function formsOf(html: string): { tag: string; content: string }[] {
  return [...html.matchAll(/(<form\b[^>]*>)([\s\S]*?)<\/form>/gi)].map(([, tag = '', content = '']) => ({
    tag,
    content,
  }));
}

/** The default values of a form. Without buttons: naming one means pressing it. */
function fieldsOf(content: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [tag] of content.matchAll(/<input\b[^>]*>/gi)) {
    const name = attribute(tag, 'name');
    const type = (attribute(tag, 'type') ?? 'text').toLowerCase();
    if (name === undefined || ['submit', 'button', 'image', 'file', 'reset'].includes(type)) continue;
    if ((type === 'checkbox' || type === 'radio') && !/\schecked\b/i.test(tag)) continue;
    fields[name] = attribute(tag, 'value') ?? (type === 'checkbox' ? 'on' : '');
  }
  for (const [, tag = '', text = ''] of content.matchAll(/(<textarea\b[^>]*>)\n?([\s\S]*?)<\/textarea>/gi)) {
    const name = attribute(tag, 'name');
    if (name !== undefined) fields[name] = decoded(text);
  }
  for (const [, tag = '', options = ''] of content.matchAll(/(<select\b[^>]*>)([\s\S]*?)<\/select>/gi)) {
    const name = attribute(tag, 'name');
    const all = [...options.matchAll(/<option\b[^>]*>/gi)].map(([option]) => option);
    const chosen = all.find((option) => /\sselected\b/i.test(option)) ?? all[0];
    if (name !== undefined && chosen !== undefined) fields[name] = attribute(chosen, 'value') ?? '';
  }
  return fields;
}

function query(fields: Fields): string {
  return new URLSearchParams(
    Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}

function multipart(fields: Fields): { body: Buffer; type: string } {
  const boundary = '----lamella-browser-boundary';
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    const isText = typeof value === 'string';
    const file = isText ? '' : `; filename="${value.filename}"\r\nContent-Type: ${value.type}`;
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`;
    return [Buffer.from(head), isText ? Buffer.from(value) : value.bytes, Buffer.from('\r\n')];
  });
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
  return { body, type: `multipart/form-data; boundary=${boundary}` };
}

function decoded(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex, decimal, name) =>
    hex || decimal ? String.fromCodePoint(Number.parseInt(hex ?? decimal, hex ? 16 : 10)) : (named[name] ?? whole),
  );
}
