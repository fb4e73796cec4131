/**
 * What a gateway is: two pure functions, from a request to an event and from a function's answer to a response. Sockets,
 * functions and time are `server.ts`'s.
 */
import type { ThrottleReason } from '../../environment/invocation.ts';
import type { Header, ReceivedRequest } from './gateway-request.ts';

/** A whole response. `Content-Length` and the headers of the connection are added when it is written. */
export type GatewayResponse = {
  readonly status: number;
  /** Instead of the usual words for the status. */
  readonly statusText?: string | undefined;
  readonly headers: readonly Header[];
  readonly body: Buffer;
};

/** Why a function did not answer with anything that could be passed on. */
export type FunctionFault =
  /** It failed, timed out, or could not be started. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'throttled'; readonly reason: ThrottleReason }
  /** It did not answer in the time that the gateway has. */
  | { readonly kind: 'too-slow' }
  /** There is no such function, or it is not ready. */
  | { readonly kind: 'unavailable' }
  /** The event is larger than Lambda takes, though the gateway took the request. */
  | { readonly kind: 'event-too-large' };

/** A refusal of a request, before or instead of an invocation. */
export class Refused extends Error {
  readonly response: GatewayResponse;

  constructor(response: GatewayResponse) {
    super(`refused with status ${response.status}`);
    this.response = response;
  }
}

/** A refusal by the HTTP port itself, with this message as JSON. */
export function refuse(status: number, message: string): Refused {
  const body = Buffer.from(JSON.stringify({ message }));
  return new Refused({ status, headers: [['Content-Type', 'application/json']], body });
}

/** The function's answer is not in the form that the gateway needs; the message says what is wrong, for the log. */
export class MalformedResponse extends Error {}

/** How one target of a gateway talks to a function. */
export type ProxyIntegration = {
  /** The event. @throws Refused */
  toEvent(request: ReceivedRequest): object;
  /** What the function answered. @throws MalformedResponse, which becomes `toFault({ kind: 'failed' })` */
  toResponse(payload: Buffer, request: ReceivedRequest): GatewayResponse;
  toFault(fault: FunctionFault, request: ReceivedRequest): GatewayResponse;
};
