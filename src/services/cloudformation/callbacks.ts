/** Messages to the URLs of wait handles and custom resources: `PUT /_stack-callbacks/TARGET` with JSON. */
import { BodyFailure, readBody } from '../../http/body.ts';
import { splitTarget } from '../../http/request-target.ts';
import { CALLBACK_PREFIX, type Signals } from '../../stacks/signals.ts';
import type { ServiceHandler } from '../../wire/api-call.ts';

/** AWS takes 4096 bytes of a custom resource. */
const BODY_LIMIT_BYTES = 64 * 1024;

export function createCallbackHandler(signals: Pick<Signals, 'receive'>): ServiceHandler {
  return async ({ request, response }) => {
    try {
      const target = splitTarget(request.url).path.slice(CALLBACK_PREFIX.length);
      const isUpload = request.method === 'PUT' || request.method === 'POST';
      const body = (await readBody(request, BODY_LIMIT_BYTES)).toString('utf8');
      const isTaken = isUpload && /^[A-Za-z0-9-]{1,64}$/.test(target) && signals.receive(target, body);
      response.writeHead(isTaken ? 200 : 400, { 'Content-Length': 0 }).end();
    } catch (failure) {
      if (!(failure instanceof BodyFailure)) throw failure;
      if (failure.reason === 'aborted') return;
      response.writeHead(failure.reason === 'busy' ? 503 : 413, { 'Content-Length': 0 }).end();
    }
  };
}
