/** A small, correct runtime in Python on one kept connection. A loop that calls its functions follows it. */
export const PYTHON_RUNTIME = `#!/usr/bin/env python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
BASE = '/2018-06-01/runtime/invocation/'
def next_invocation():
    api.request('GET', BASE + 'next')
    answer = api.getresponse()
    return answer.getheader('lambda-runtime-aws-request-id'), answer.read()
def respond(id, body):
    api.request('POST', BASE + id + '/response', body)
    api.getresponse().read()
def stream(id, body):
    headers = {'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Content-Type': 'application/vnd.awslambda.http-integration-response'}
    api.request('POST', BASE + id + '/response', iter([body[:20] or b' ', body[20:] or b' ']), headers, encode_chunked=True)
    api.getresponse().read()
`;
