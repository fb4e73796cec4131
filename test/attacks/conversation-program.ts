/**
 * A runtime and an external extension, in Python, that hold whole conversations with the Runtime, Extensions and Telemetry
 * APIs: steps that are allowed and steps that are not, in any order, by a model of the APIs' documentation. Each step knows
 * the statuses that are documented in the state that the model is in. The steps follow from a seed.
 */

/** Sends a request in odd but valid ways, and reads its response strictly. */
const HTTP = `
import json, os, random, socket, sys, threading, time
HOST, PORT = os.environ['AWS_LAMBDA_RUNTIME_API'].rsplit(':', 1)
R, X, T, L = '/2018-06-01/runtime/', '/2020-01-01/extension/', '/2022-07-01/telemetry', '/2020-08-15/logs'
wrong, sent = [], [0]
class Closed(Exception): pass
class Connection:
    def __init__(self):
        self.s = socket.create_connection((HOST, int(PORT)), 10); self.s.settimeout(30); self.b = b''
    def line(self):
        while b'\\r\\n' not in self.b: self.more()
        line, self.b = self.b.split(b'\\r\\n', 1); return line
    def more(self):
        part = self.s.recv(65536)
        if not part: raise Closed()
        self.b += part
    def exactly(self, n):
        while len(self.b) < n: self.more()
        data, self.b = self.b[:n], self.b[n:]; return data
    def read(self, method='GET'):
        while True:
            first = self.line().decode('latin1').split(' ')
            if first[0] != 'HTTP/1.1': raise ValueError('not a status line: ' + repr(first)[:100])
            fields = {}
            while True:
                line = self.line()
                if not line: break
                name, value = line.split(b':', 1); fields[name.lower().decode()] = value.strip().decode('latin1')
            status = int(first[1])
            if status == 100: continue
            if method == 'HEAD' or status == 204: return status, fields, b''
            if 'transfer-encoding' in fields:
                body = b''
                while True:
                    size = int(self.line(), 16); body += self.exactly(size); self.exactly(2)
                    if size == 0: return status, fields, body
            return status, fields, self.exactly(int(fields['content-length']))
def rendered(r, method, path, headers, body):
    lines = dict(headers); lines.setdefault('Host', 'x')
    names = [(n.upper() if r.random() < 0.1 else n.lower() if r.random() < 0.1 else n, v) for n, v in lines.items()]
    if body is not None and r.random() < 0.25:
        cut = sorted(r.randrange(len(body) + 1) for _ in range(r.randrange(4)))
        pieces = [p for p in (body[a:b] for a, b in zip([0] + cut, cut + [len(body)])) if p]
        ext = r.choice(['', '', ';a=b', ';x="y"'])
        data = b''.join(b'%x%s\\r\\n%s\\r\\n' % (len(p), ext.encode(), p) for p in pieces) + b'0\\r\\n' + r.choice([b'', b'', b'X-T: 1\\r\\n']) + b'\\r\\n'
        names.append(('Transfer-Encoding', 'chunked'))
    else:
        data = body or b''
        if body is not None: names.append(('Content-Length', str(len(data))))
    target = r.choice([path, path, path, path, path + '?a=b', 'http://' + HOST + path])
    return (method + ' ' + target + ' HTTP/1.1\\r\\n' + ''.join(n + ':' + r.choice([' ', '', '  ']) + v + '\\r\\n' for n, v in names) + '\\r\\n').encode('latin1') + data
def call(r, conn, method, path, headers=(), body=None, odd=True):
    data = rendered(r if odd else random.Random(1), method, path, dict(headers), body)
    sent[0] += 1
    if odd and r.random() < 0.1:
        at = r.randrange(len(data)); conn.s.sendall(data[:at]); time.sleep(0.002); conn.s.sendall(data[at:])
    else: conn.s.sendall(data)
    return conn.read(method)
def expect(what, got, allowed, body=b''):
    if got not in allowed and len(wrong) < 20: wrong.append('%s: %s, not %s %r' % (what, got, sorted(allowed), body[:200]))
`;

const VALUES = `
UUIDS = ['', 'x', '11111111-2222-3333-4444-555555555555', '11111111222233334444555555555555', 'x' * 3000, '../..', '{}', '%00']
BODIES = [b'', b'{}', b'null', b'[]', b'"x"', b'{', b'[' * 9000, b'{"a":' * 3000, b'\\xff\\xfe', b'{"events":null}', b'{"events":{}}', b'{"events":[1]}', b'{"events":["INVOKE","INVOKE"]}',
    b'{"events":["invoke"]}', b'{"events":["SHUTDOWN","NEXT"]}', b'{"configurationKeys":["a"],"events":[]}', b'{"events":[],"events":["INVOKE"]}', b'{"__proto__":{"events":["INVOKE"]}}', b' ' * 70000 + b'{}']
NAMES = ['', ' ', 'hostile', 'other', '../hostile', 'a' * 200, 'toString', '__proto__', 'x,y', 'x/y']
def subscription(r, port):
    destination = r.choice([{'protocol': 'HTTP', 'URI': 'http://sandbox.localdomain:%d/' % port}, {'protocol': 'TCP', 'port': port}, {'protocol': 'HTTP', 'URI': r.choice(['http://127.0.0.1:1/', 'https://sandbox:1/', 'http://sandbox.localdomain:9001/',
        'http://sandbox.localdomain:70000', 'file:///etc/passwd', 'http://169.254.169.254/latest', 'http://user:pw@sandbox:8080/', 'http://[::1]:80/', '', 'x' * 5000, 'http://sandbox.localdomain:%s/' % PORT])},
        {'protocol': 'UDP', 'port': 5}, {'protocol': 'TCP', 'port': r.choice([-1, 0, 9001, 65536, 1.5, '80', None])}, None, [], {}])
    buffering = r.choice([None, {}, {'maxItems': 1000, 'maxBytes': 262144, 'timeoutMs': 25}, {'maxItems': r.choice([0, -1, 10**9, 1e300, '5', None])}, {'maxBytes': r.choice([0, 2**31, 2**53])}, {'timeoutMs': r.choice([0, 24, 30001, 1e21])}, [], 'x'])
    types = r.choice([['platform', 'function', 'extension'], ['platform'], [], ['x'], None, 'platform', [None], ['function'] * 1000])
    body = {'schemaVersion': r.choice(['2022-12-13', '2022-07-01', '2025-01-29', '2021-03-18', '', 'x', None, 5]), 'destination': destination, 'types': types}
    if buffering is not None: body['buffering'] = buffering
    return json.dumps(body).encode() if r.random() < 0.9 else r.choice(BODIES)
def error_headers(r):
    headers = {}
    if r.random() < 0.6: headers['Lambda-Runtime-Function-Error-Type'] = r.choice(['Runtime.A', 'Function.Bc', 'x', '', 'Function.', 'T' * 5000, '\\u00ff'])
    if r.random() < 0.4: headers['Lambda-Runtime-Function-XRay-Error-Cause'] = r.choice(['{}', '{"exceptions":[' + '{"message":"m","type":"t","stack":[]},' * 900 + '{}]}', '[' * 4000, '{"paths":' + json.dumps(['p' * 90] * 300) + '}', 'x'])
    if r.random() < 0.3: headers['Content-Type'] = r.choice(['application/vnd.aws.lambda.error.cause+json', 'text/plain', '', 'x' * 2000])
    return headers
`;

/**
 * Steps that leave the runtime in its state, with the statuses that the documentation has for them. `id` is undefined during
 * init. Everything that validates an identifier fails with 403.
 */
const STEPS = `
def harmless(r, conn, id, port, answered):
    bad = r.choice(UUIDS)
    def do(what, allowed, method, path, headers=(), body=None):
        status, _, text = call(r, conn, method, path, headers, body)
        expect(what, status, allowed, text)
    kind = r.randrange(13)
    if kind == 0: do('unknown path', {404}, r.choice(['GET', 'POST', 'PUT']), r.choice(['/', '/2018-06-01/', '/2018-06-01/runtime/invocation', R + 'invocation/a/b/c', '/2018-06-01/runtime/invocation/%2e%2e/next/x', '/%zz', '//', '/2020-01-01/extension', R + 'restore/next']))
    elif kind == 1: do('wrong method', {405}, r.choice(['DELETE', 'PUT', 'PATCH', 'OPTIONS']), r.choice([R + 'invocation/next', R + 'init/error', X + 'register', X + 'event/next']))
    elif kind == 2: do('foreign id', {400, 404, 405} if bad in ('', '../..', '{}', '%00') else {400}, 'POST', R + 'invocation/' + bad + r.choice(['/response', '/error']), error_headers(r), r.choice(BODIES))
    elif kind == 3: do('identifier', {403}, 'GET', X + 'event/next', {'Lambda-Extension-Identifier': bad} if bad and r.random() < 0.8 else {})
    elif kind == 4: do('extension error', {403}, 'POST', X + r.choice(['init/error', 'exit/error']), {'Lambda-Extension-Identifier': bad, 'Lambda-Extension-Function-Error-Type': 'a.b'} if bad else {}, r.choice(BODIES))
    elif kind == 5: do('subscription of nobody', {403}, 'PUT', r.choice([T, L]), {'Lambda-Extension-Identifier': bad} if bad else {}, subscription(r, port))
    elif kind == 6: do('ping', {200}, 'GET', '/2018-06-01/ping')
    elif kind == 7 and id: do('init error', {403}, 'POST', R + 'init/error', error_headers(r), r.choice(BODIES))
    elif kind == 8 and id: do('late registration', {403}, 'POST', X + 'register', {'Lambda-Extension-Name': r.choice(NAMES)}, r.choice(BODIES + [b'{"events":["INVOKE"]}']))
    elif kind == 9 and id and not answered:
        status, fields, text = call(r, conn, 'GET', R + 'invocation/next')
        expect('next again', status, {200}, text)
        if fields.get('lambda-runtime-aws-request-id') != id: wrong.append('next again: another id')
    elif kind == 10 and id and answered: do('second response', {403, 400}, 'POST', R + 'invocation/' + id + r.choice(['/response', '/error']), error_headers(r), r.choice(BODIES))
    elif kind == 11:
        # Two requests at once, answered in order.
        conn.s.sendall(rendered(r, 'GET', '/2018-06-01/ping', {}, None) + rendered(r, 'GET', '/nothing', {}, None)); sent[0] += 2
        expect('first of two', conn.read()[0], {200}); expect('second of two', conn.read()[0], {404})
    elif kind == 12:
        # An unfinished request on a connection of its own, which is closed.
        other = Connection(); data = rendered(r, 'POST', R + 'invocation/' + (id or 'x') + '/error', {}, b'x' * r.choice([1, 70000]))
        other.s.sendall(data[:r.randrange(1, len(data.split(b'\\r\\n\\r\\n')[0]))]); other.s.close()
`;

export const CONVERSING_RUNTIME = `#!/usr/bin/env python3
${HTTP}${VALUES}${STEPS}
# Receives telemetry badly: slowly, not at all, with errors.
def destination(r):
    server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(5)
    def serve():
        while True:
            try:
                peer, _ = server.accept(); peer.settimeout(0.2)
                try: peer.recv(1000)
                except OSError: pass
                try: peer.sendall(r.choice([b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n', b'HTTP/1.1 500 No\\r\\nContent-Length: 5\\r\\n\\r\\nx', b'\\x00' * 9000, b'HTTP/1.1 302 Found\\r\\nLocation: http://169.254.169.254/\\r\\n\\r\\n', b'HTTP/1.1 200 OK\\r\\n' + b'X: y\\r\\n' * 5000]))
                except OSError: pass
                if r.random() < 0.5: peer.close()
            except OSError: return
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]
def follow(identifier):
    def loop():
        try:
            while True:
                conn = Connection(); conn.s.settimeout(None)
                if call(random.Random(1), conn, 'GET', X + 'event/next', {'Lambda-Extension-Identifier': identifier}, odd=False)[0] != 200: return
        except (OSError, Closed): pass
    threading.Thread(target=loop, daemon=True).start()
def converse():
    r = random.Random(int(os.environ['SEED']))
    port = destination(random.Random(int(os.environ['SEED']) + 1))
    conn = Connection()
    for _ in range(r.randrange(12)): harmless(r, conn, None, port, False)
    registered = []
    for _ in range(r.randrange(4)):
        name = r.choice(NAMES + ['one', 'two'])
        if name.strip() == 'hostile': continue
        events = r.choice([[], ['INVOKE'], ['INVOKE', 'SHUTDOWN'], ['SHUTDOWN'], ['x']])
        valid = name.strip() != '' and events in ([], ['INVOKE']) and name not in registered
        status, fields, text = call(r, conn, 'POST', X + 'register', {'Lambda-Extension-Name': name, 'Lambda-Extension-Accept-Feature': r.choice(['accountId', '', 'x,,accountId'])}, json.dumps({'events': events}).encode())
        expect('register %r %r' % (name, events), status, {200} if valid else {403}, text)
        if status != 200: continue
        registered.append(name); identifier = fields['lambda-extension-identifier']
        for _ in range(r.randrange(3)):
            status, _, text = call(r, conn, 'PUT', r.choice([T, T, L]), {'Lambda-Extension-Identifier': identifier}, subscription(r, port))
            expect('subscribe', status, {200, 400, 403}, text)
        follow(identifier)
    if os.environ['ENDING'] == 'init-error':
        status, _, text = call(r, conn, 'POST', R + 'init/error', error_headers(r), r.choice(BODIES)); expect('init error at init', status, {202}, text)
        status, _, text = call(r, conn, 'GET', R + 'invocation/next'); expect('next after init error', status, {403}, text)
        sys.exit(1)
    while True:
        status, fields, event = call(r, conn, 'GET', R + 'invocation/next', odd=False)
        id = fields['lambda-runtime-aws-request-id']
        for _ in range(r.randrange(25)): harmless(r, conn, id, port, False)
        mode = r.choice([{}, {}, {'Lambda-Runtime-Function-Response-Mode': 'streaming'}])
        body = json.dumps({'wrong': wrong, 'sent': sent[0]}).encode()
        status, _, text = call(r, conn, 'POST', R + 'invocation/' + id + '/response', mode, body); expect('response', status, {202}, text)
        for _ in range(r.randrange(4)): harmless(r, conn, id, port, True)
try: converse()
except (OSError, Closed, ValueError) as failure:
    print('broken: %r' % failure, wrong, flush=True)
    # The invocation fails, and says why.
    time.sleep(0.05); os._exit(7)
`;

/** An external extension: registers as it should, or not, and then does as the runtime does. */
export const CONVERSING_EXTENSION = `#!/usr/bin/env python3
${HTTP}${VALUES}${STEPS}
r = random.Random(int(os.environ['SEED']) + 2)
conn = Connection()
for _ in range(r.randrange(4)): harmless(r, conn, None, 1, False)
events = r.choice([['INVOKE', 'SHUTDOWN'], ['SHUTDOWN'], ['INVOKE'], []])
status, fields, text = call(r, conn, 'POST', X + 'register', {'Lambda-Extension-Name': 'hostile'}, json.dumps({'events': events}).encode(), odd=False)
expect('extension registers', status, {200}, text)
identifier = {'Lambda-Extension-Identifier': fields['lambda-extension-identifier']}
status, _, text = call(r, conn, 'POST', X + 'register', {'Lambda-Extension-Name': 'hostile'}, b'{"events":[]}'); expect('registers twice', status, {403}, text)
status, _, text = call(r, conn, 'POST', X + 'exit/error', identifier, b'{}'); expect('exit error without a type', status, {403}, text)
for _ in range(r.randrange(3)):
    status, _, text = call(r, conn, 'PUT', T, identifier, subscription(r, 1)); expect('extension subscribes', status, {200, 400, 403}, text)
if wrong: print('WRONG', json.dumps(wrong), flush=True)
try:
    while True:
        if os.environ['ENDING'] == 'extension-exit' and r.random() < 0.5: sys.exit(r.choice([0, 1, 3]))
        status, _, text = call(r, conn, 'GET', X + 'event/next', identifier, odd=False)
        expect('event next', status, {200}, text)
        for _ in range(r.randrange(5)):
            status, _, text = call(r, conn, r.choice(['POST', 'DELETE']), X + 'event/next', identifier); expect('wrong method', status, {405}, text)
        if wrong: print('WRONG', json.dumps(wrong), flush=True)
        if b'SHUTDOWN' in text: time.sleep(r.choice([0, 0, 5]))
except (OSError, Closed): pass
`;
