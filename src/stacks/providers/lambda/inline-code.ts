/**
 * `Code.ZipFile` of a template: source text, which CloudFormation puts into a file `index` of the runtime's language
 * together with its module for responses of custom resources. The modules here are Lamella's own, with the same
 * functions; they also take response URLs without TLS.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
 */
import { ZipFile } from 'yazl';
import { ResourceFailure } from '../provider.ts';

/** The earliest time in a zip: the same text gives the same archive. */
const FIXED_TIME = new Date(1980, 0, 1);

/** The archive in base64. @throws ResourceFailure for a runtime without inline code */
export async function zipInlineCode(source: string, runtime: string): Promise<string> {
  const files = filesOf(source, runtime);
  const zip = new ZipFile();
  for (const [path, text] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(text), path, { mtime: FIXED_TIME, mode: 0o100644, forceDosTimestamp: true });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('base64');
}

function filesOf(source: string, runtime: string): Readonly<Record<string, string>> {
  if (runtime.startsWith('nodejs')) {
    return { 'index.js': source, 'node_modules/cfn-response/index.js': NODE_RESPONSE };
  }
  if (runtime.startsWith('python')) return { 'index.py': source, 'cfnresponse.py': PYTHON_RESPONSE };
  throw new ResourceFailure('ZipFile can only be used when Runtime is set to any of nodejs or python.');
}

const NODE_RESPONSE = `exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';

exports.send = (event, context, status, data, physicalId, noEcho) => new Promise((resolve) => {
  const body = JSON.stringify({
    Status: status,
    Reason: 'See the details in CloudWatch Log Stream: ' + context.logStreamName,
    PhysicalResourceId: physicalId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: data,
  });
  const url = new URL(event.ResponseURL);
  const client = url.protocol === 'http:' ? require('http') : require('https');
  const headers = { 'content-type': '', 'content-length': Buffer.byteLength(body) };
  const finish = () => { context.done(); resolve(); };
  const request = client.request(url, { method: 'PUT', headers }, (response) => { response.resume(); finish(); });
  request.on('error', (error) => { console.log('send(..) failed: ' + error); finish(); });
  request.end(body);
});
`;

const PYTHON_RESPONSE = `import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    body = json.dumps({
        "Status": responseStatus,
        "Reason": reason or "See the details in CloudWatch Log Stream: {}".format(context.log_stream_name),
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }).encode("utf-8")
    request = urllib.request.Request(event["ResponseURL"], data=body, headers={"content-type": ""}, method="PUT")
    try:
        urllib.request.urlopen(request).close()
    except Exception as error:
        print("send(..) failed executing http.request(..):", error)
`;
