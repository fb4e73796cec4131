/**
 * A hostile runtime inside a real sandbox: conversations with the Runtime, Extensions and Telemetry APIs that their
 * documentation forbids, hostile log lines, and a search for secrets of the host. Its environment may fail; the service,
 * other functions and the host may not notice.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { cases, seedOf, startTarget, type Target } from './target.ts';

let target: Target;

beforeAll(async () => {
  target = await startTarget();
  await target.createFunction('neighbor', { bootstrap: shellRuntime('respond "$EVENT"') }, { Timeout: 60 });
  await target.invoke('neighbor');
  await target.measure();
});
afterAll(() => target?.close());

/** Connects to the Runtime API as bytes; `talk` sends one request and reads what comes within a short time. */
const PYTHON = `#!/usr/bin/env python3
import os, random, socket, sys, time, json
HOST, PORT = os.environ['AWS_LAMBDA_RUNTIME_API'].rsplit(':', 1)
def talk(data, wait=0.05):
    try:
        s = socket.create_connection((HOST, int(PORT)), 2)
        s.settimeout(wait)
        s.sendall(data)
        out = b''
        try:
            while True:
                part = s.recv(65536)
                if not part: break
                out += part
        except OSError: pass
        s.close()
        return out
    except OSError:
        return b''
def request(method, path, body=b'', headers=()):
    head = f'{method} {path} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n' + ''.join(h + '\\r\\n' for h in headers)
    return head.encode('latin1') + b'\\r\\n' + body
def next_invocation():
    s = socket.create_connection((HOST, int(PORT)))
    s.sendall(request('GET', '/2018-06-01/runtime/invocation/next'))
    data = b''
    while b'\\r\\n\\r\\n' not in data:
        part = s.recv(65536)
        if not part: sys.exit(1)
        data += part
    head, body = data.split(b'\\r\\n\\r\\n', 1)
    fields = {l.split(b':', 1)[0].strip().lower(): l.split(b':', 1)[1].strip() for l in head.split(b'\\r\\n')[1:] if b':' in l}
    length = int(fields.get(b'content-length', b'0'))
    while b'content-length' in fields and len(body) < length: body += s.recv(65536)
    s.close()
    return fields[b'lambda-runtime-aws-request-id'].decode(), body
def respond(id, body):
    talk(request('POST', f'/2018-06-01/runtime/invocation/{id}/response', body), 1)
`;

const CONVERSATIONS = `${PYTHON}
METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']
IDS = ['', '%00', '..', '11111111-2222-3333-4444-555555555555', 'x' * 5000]
def path(r, id):
    return r.choice(['/2018-06-01/runtime/invocation/next', f'/2018-06-01/runtime/invocation/{r.choice(IDS + [id])}/response',
        f'/2018-06-01/runtime/invocation/{r.choice(IDS + [id])}/error', '/2018-06-01/runtime/init/error', '/2020-01-01/extension/register',
        '/2020-01-01/extension/event/next', '/2020-01-01/extension/exit/error', '/2022-07-01/telemetry', '/2020-08-15/logs', '//', '/%zz'])
HEADERS = ['Lambda-Extension-Name: e%d', 'Lambda-Extension-Identifier: %d', 'Lambda-Runtime-Function-Error-Type: ' + 'T' * 9000,
    'Lambda-Runtime-Function-Response-Mode: streaming', 'Transfer-Encoding: chunked', 'Expect: 100-continue', 'Content-Length: 99', 'Trailer: x']
BODIES = [b'', b'{}', b'[' * 20000, b'{"events":["INVOKE","SHUTDOWN"]}', b'\\xff\\x00', b'x' * 300000,
    b'{"schemaVersion":"2022-12-13","types":["platform","function"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:1"}}']
while True:
    id, event = next_invocation()
    order = json.loads(event)
    r = random.Random(order['seed'])
    for count in range(order['count']):
        headers = [h % count if '%d' in h else h for h in r.sample(HEADERS, r.randrange(3))]
        data = bytearray(request(r.choice(METHODS), path(r, id), r.choice(BODIES), headers))
        if r.random() < 0.2: data[r.randrange(len(data))] = r.randrange(256)
        if r.random() < 0.1: data = data[:r.randrange(len(data))]
        talk(bytes(data), 0.02)
    held = []
    for _ in range(200):
        try:
            s = socket.create_connection((HOST, int(PORT)), 1)
            s.sendall(b'GET / HTTP/1.1\\r\\nX: ' + b'x' * 4000)
            held.append(s)
        except OSError: break
    time.sleep(0.2)
    for s in held: s.close()
    respond(id, b'"done"')
`;

const LINES = `${PYTHON}
def line(r):
    depth = r.choice([10, 1000, 20000])
    return r.choice([
        lambda: b'{"a":' + b'[' * depth + b']' * depth + b'}\\n',
        lambda: b'{"timestamp":"2026-01-01T00:00:00Z","level":' + b'{"a":' * depth + b'1' + b'}' * depth + b'}\\n',
        lambda: b'\\n' * 5000,
        lambda: b'\\r\\r\\r\\n',
        lambda: bytes(r.randrange(256) for _ in range(300)),
        lambda: b'x' * 600000 + b'\\n',
        lambda: b'{"__proto__":{"level":"FATAL"},"level":7,"time":[]}\\n',
        lambda: b'START RequestId: 1 Version: 1\\nEND RequestId: 1\\nREPORT RequestId: 1\\n',
        lambda: '{"message":"\\u2028\\ud800"}\\n'.encode('utf8', 'surrogatepass'),
        lambda: b'no end of line',
    ])()
while True:
    id, event = next_invocation()
    order = json.loads(event)
    r = random.Random(order['seed'])
    for _ in range(order['count']):
        os.write(r.choice([1, 2]), line(r))
    respond(id, b'"done"')
`;

/** Everything that a process can read about its surroundings. */
const SEARCH = `${PYTHON}
def read(path):
    try:
        with open(path, 'rb') as f: return f.read(100000)
    except Exception: return b''
def secret_in(text):
    # In two parts, because this program itself is among the files.
    i = text.find(b'S3' + b'CRET')
    return '' if i < 0 else text[i:i + 40].decode('latin1')
while True:
    id, event = next_invocation()
    found = [read(json.loads(event)['file']), repr(dict(os.environ)).encode()]
    for pid in [p for p in os.listdir('/proc') if p.isdigit()]:
        for name in ['environ', 'cmdline', 'mounts', 'maps']: found.append(read(f'/proc/{pid}/{name}'))
        for fd in range(64): found.append(read(f'/proc/{pid}/root' + json.loads(event)['file']) if fd == 0 else read(f'/proc/{pid}/fd/{fd}') if fd > 2 and pid != '1' and pid != str(os.getpid()) else b'')
    for top, dirs, names in os.walk('/'):
        dirs[:] = [d for d in dirs if top != '/' or d not in ('proc', 'sys', 'usr', 'lib', 'lib64', 'bin', 'sbin')]
        for name in names[:200]:
            p = os.path.join(top, name)
            if os.path.isfile(p): found.append(read(p))
    found += [read('/proc/keys'), read('/proc/key-users')]
    text = b''.join(found)
    respond(id, json.dumps({'found': secret_in(text), 'bytes': len(text)}).encode())
`;

async function attack(name: string, count: number, seed: number): Promise<void> {
  const attacked = target.invoke(name, { seed, count }, { LogType: 'Tail' }).catch(() => undefined);
  for (let probe = 0; probe < 4; probe += 1) {
    await target.expectResponsive();
    const neighbor = await target.invoke('neighbor', { probe });
    expect([neighbor.functionError, neighbor.payload]).toEqual([undefined, JSON.stringify({ probe })]);
  }
  target.expectNoSecret((await attacked)?.payload ?? '');
}

describe('a hostile runtime', () => {
  it('that breaks the rules of its APIs fails alone', { timeout: 3_600_000 }, async () => {
    await target.createFunction('conversations', { bootstrap: CONVERSATIONS }, { Timeout: 20, MemorySize: 512 });
    for (let round = 0; round < cases(2); round += 1) await attack('conversations', 100, seedOf(20_260_131) + round);
    await target.expectUnharmed();
  });

  it.each(['Text', 'JSON'] as const)(
    'that writes hostile lines fails alone: %s logs',
    { timeout: 3_600_000 },
    async (format) => {
      const name = `lines-${format}`;
      await target.createFunction(
        name,
        { bootstrap: LINES },
        { Timeout: 20, MemorySize: 512, LoggingConfig: { LogFormat: format } },
      );
      for (let round = 0; round < cases(2); round += 1) await attack(name, 60, seedOf(20_260_141) + round);
      await target.expectUnharmed();
    },
  );

  it('finds no secret of the host', { timeout: 120_000 }, async () => {
    await target.createFunction('search', { bootstrap: SEARCH }, { Timeout: 60, MemorySize: 512 });
    const { payload, functionError } = await target.invoke('search', { file: target.secrets.file });
    expect(functionError).toBeUndefined();
    const { found, bytes } = JSON.parse(payload) as { found: string; bytes: number };
    expect(found).toBe('');
    expect(bytes).toBeGreaterThan(1000);
    await target.expectUnharmed();
  });
});
