/**
 * PUT telemetry and PUT logs: an extension subscribes. Checks its identifier as in every call of an extension, then the
 * body, then whether the environment is still initializing. The order is that of RAPID, AWS's server.
 */
import type { HttpRequest, HttpResponse } from '../../http/exchange.ts';
import type { TelemetryApi } from '../../protocol/payloads.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { writeError, writeJson } from '../api-response.ts';
import { identify } from '../extensions/extension-handlers.ts';
import { readBody } from '../response-body.ts';
import type { RuntimeSession } from '../session.ts';
import type { Reach } from './telemetry-reach.ts';
import { parseSubscription, type SubscriptionProblem } from './telemetry-subscription.ts';

/** How destinations are reached. `apiPort`, the environment's API, must not be a destination. */
export type Destinations = { readonly reach: Reach; readonly apiPort: number };

export async function handleSubscribe(
  session: RuntimeSession,
  api: TelemetryApi,
  { reach, apiPort }: Destinations,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const body = await readBody(request, QUOTAS.responsePayloadBytes, session.bodies);
  if (body.kind === 'truncated') return;
  const extension = identify(session, request, response, (id) => `Unknown extension ${id}`);
  if (!extension) return;
  if (!session.telemetry) {
    // The response of AWS's emulator, after which extensions continue without telemetry.
    return writeError(response, 202, `${api}.NotSupported`, `${api} API is not supported`);
  }
  const parsed = parseSubscription(api, body.kind === 'whole' ? body.bytes.toString() : '', apiPort);
  if ('problem' in parsed) return writeProblem(response, parsed.problem);
  const outcome = session.subscribeTelemetry(extension, parsed, reach);
  switch (outcome.kind) {
    case 'closed':
      return writeError(response, 403, `${api}.SubscriptionClosed`, `${api} API subscription is closed already`);
    case 'other-api':
      return writeProblem(response, {
        errorType: `${api}.AccessDenied`,
        errorMessage: `The extension ${extension.name} is already subscribed to the ${outcome.other}API. You must either subscribe to the LogsAPI or the TelemetryAPI`,
      });
    case 'subscribed':
      writeOk(response);
  }
}

/** 400, with the member order of AWS's telemetry service. */
function writeProblem(response: HttpResponse, { errorType, errorMessage }: SubscriptionProblem): void {
  writeJson(response, 400, { errorType, errorMessage });
}

function writeOk(response: HttpResponse): void {
  const text = '"OK"';
  response.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', String(text.length)]);
  response.end(text);
}
