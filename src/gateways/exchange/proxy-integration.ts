/**
 * The proxy integration of a gateway with a function: pure functions from request to event and from function response
 * to HTTP response. Sockets, invocations and timeouts are in `gateway-port.ts` and `run-function.ts`.
 */
import type { ThrottleReason } from '../../environment/invocation.ts';
import type { Authorized } from './authorized.ts';
import type { Header, ReceivedRequest } from './gateway-request.ts';

/** A complete response, without `Content-Length` and the headers of the connection. */
export type GatewayResponse = {
  readonly status: number;
  /** Replaces the standard reason phrase of the status. */
  readonly statusText?: string | undefined;
  readonly headers: readonly Header[];
  readonly body: Buffer;
};

/** Why there is no function response to pass on. */
export type FunctionFault =
  /** It failed, timed out, or could not be started. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'throttled'; readonly reason: ThrottleReason }
  /** It did not respond within the gateway's timeout. */
  | { readonly kind: 'too-slow' }
  /** The function does not exist, or is not ready. */
  | { readonly kind: 'unavailable' }
  /** It has tenant isolation, and gateways name no tenant. */
  | { readonly kind: 'tenant-required' }
  /** The event exceeds Lambda's limit, although the request is within the gateway's. */
  | { readonly kind: 'event-too-large' };

/** Thrown to refuse a request with this response, without an invocation. */
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

/** The function's response does not have the form that this kind of gateway requires. The message is for the log. */
export class MalformedResponse extends Error {}

/** How a gateway and one of its functions communicate. */
export type ProxyIntegration = {
  /** Creates the event. `authorized` is what the route's authorizer returned, if it has one. @throws Refused */
  toEvent(request: ReceivedRequest, authorized?: Authorized): object;
  /** Creates the HTTP response. @throws MalformedResponse, which the caller handles as `{ kind: 'failed' }` */
  toResponse(payload: Buffer, request: ReceivedRequest): GatewayResponse;
  toFault(fault: FunctionFault, request: ReceivedRequest): GatewayResponse;
};
