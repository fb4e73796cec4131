/**
 * One environment's session with its runtime process and its extensions: parks their polls, hands out invocations and
 * receives responses. It owns this state only: sockets are in `server.ts`, and processes, timeouts and logs belong to the
 * environment. It reports what happens through `onEvent`, in order, and the environment's driver decides what follows.
 */

import type { TelemetryApi, TelemetryCategory } from '../protocol/payloads.ts';
import { CollectedBodies } from './collected-bodies.ts';
import {
  type Extension,
  type ExtensionEventType,
  Extensions,
  type ParkedEventPoll,
  type RegisterRefusal,
} from './extensions/extensions.ts';
import { type RuntimeEvent, type RuntimeState, type RuntimeStep, stepRuntime } from './runtime-state.ts';
import type { Reach } from './telemetry/telemetry-reach.ts';
import type { SubscribeOutcome, TelemetryStream } from './telemetry/telemetry-stream.ts';
import type { TelemetrySubscription } from './telemetry/telemetry-subscription.ts';

/** An invocation as the runtime receives it. */
export type Offer = {
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly deadlineMs: number;
  readonly invokedFunctionArn: string;
  readonly traceId: string;
  readonly clientContext: string | undefined;
  readonly cognitoIdentity: string | undefined;
  readonly tenantId?: string | undefined;
  readonly payload: Buffer;
  /** Receives the response while it arrives. Without a sink it is collected. */
  readonly sink?: ResponseSink | undefined;
};

/** A caller that reads the response while the runtime writes it. */
export interface ResponseSink {
  /** Called once, before the first chunk, with the runtime's content type. */
  begin(contentType: string | undefined): void;
  /** Called with each chunk. The next one is read from the runtime when this has resolved. */
  write(chunk: Buffer): void | Promise<void>;
}

/** The runtime's response to an invocation. Payloads are opaque bytes. */
export type RuntimeResponse =
  | { readonly kind: 'response'; readonly payload: Buffer; readonly contentType: string | undefined }
  /** POST error, or the trailers of a streamed response that was broken off. */
  | { readonly kind: 'error'; readonly payload: Buffer; readonly errorType: string }
  | { readonly kind: 'response-too-large' }
  | { readonly kind: 'response-truncated' }
  | { readonly kind: 'invalid-response-mode' };

export type SessionEvent =
  /** Every external extension has registered: the runtime may start. */
  | { readonly kind: 'extensions-registered' }
  /** GET next: the runtime has initialized, or has finished the previous invocation. */
  | { readonly kind: 'runtime-ready' }
  /** The runtime and all extensions concerned have called next. */
  | { readonly kind: 'all-ready' }
  /** POST init/error or exit/error of an extension, with its error type. The extension is expected to exit. */
  | {
      readonly kind: 'extension-error-reported';
      readonly extension: Extension;
      readonly call: 'init-error' | 'exit-error';
      readonly errorType: string;
    }
  /** POST init/error; `errorType` is filtered as on AWS. */
  | { readonly kind: 'init-error-reported'; readonly errorType: string; readonly body: Buffer }
  /** POST response or POST error has started to arrive. */
  | { readonly kind: 'response-started' }
  | { readonly kind: 'responded'; readonly response: RuntimeResponse }
  | {
      readonly kind: 'telemetry-subscribed';
      readonly api: TelemetryApi;
      readonly name: string;
      readonly state: 'Subscribed' | 'Already subscribed';
      readonly types: readonly TelemetryCategory[];
    };

/** A waiting poll: `serve` responds to it, `drop` closes its connection. */
export type ParkedPoll = { serve(offer: Offer): void; drop(): void };

export class RuntimeSession {
  readonly extensions = new Extensions();
  /** The bodies of requests that are being received. */
  readonly bodies = new CollectedBodies();
  /** The telemetry of the environment. Without it, the Telemetry API responds that it is not supported. */
  readonly telemetry: TelemetryStream | undefined;
  /** What the environment did last, which determines the extensions that have to call next. */
  #period: 'initialization' | 'invocation' = 'initialization';
  #isReadyAnnounced = false;
  #state: RuntimeState = 'Started';
  #offer: Offer | undefined;
  readonly #parked = new Set<ParkedPoll>();
  readonly #onEvent: (event: SessionEvent) => void;

  constructor(onEvent: (event: SessionEvent) => void, telemetry?: TelemetryStream) {
    this.#onEvent = onEvent;
    this.telemetry = telemetry;
  }

  /** Whether `requestId` is the invocation in progress. */
  isCurrent(requestId: string): boolean {
    return this.#offer !== undefined && this.#offer.requestId === requestId;
  }

  /** Receives the response to the invocation in progress while it arrives. */
  get sink(): ResponseSink | undefined {
    return this.#offer?.sink;
  }

  /** Advances the state machine, or returns a refusal when the call is not allowed now. */
  take(event: RuntimeEvent): RuntimeStep {
    const step = stepRuntime(this.#state, event);
    if ('to' in step) {
      this.#state = step.to;
      if (event === 'response' || event === 'error') this.#onEvent({ kind: 'response-started' });
    }
    return step;
  }

  /** Serves an invocation to `poll` as soon as there is one. Call it only after `take('next')` has allowed it. */
  park(poll: ParkedPoll): void {
    if (this.#state === 'Running' && this.#offer) {
      poll.serve(this.#offer);
      return;
    }
    this.#offer = undefined;
    this.#parked.add(poll);
    this.extensions.closeRegistration();
    this.#onEvent({ kind: 'runtime-ready' });
    this.#announceReady();
  }

  /** Removes a poll whose client has disconnected. */
  unpark(poll: ParkedPoll): void {
    this.#parked.delete(poll);
  }

  /**
   * Hands the runtime its next invocation, through the latest poll. If that poll's connection has closed meanwhile, the
   * runtime gets the invocation with its next poll.
   */
  offer(offer: Offer): void {
    const step = this.take('offered');
    if ('refused' in step) throw new Error(`Cannot offer an invocation to a runtime in state ${step.refused.from}`);
    this.#offer = offer;
    this.#period = 'invocation';
    this.#isReadyAnnounced = false;
    if (this.extensions.count > 0) {
      this.extensions.publish({
        eventType: 'INVOKE',
        deadlineMs: offer.deadlineMs,
        requestId: offer.requestId,
        invokedFunctionArn: offer.invokedFunctionArn,
        tracing: { type: 'X-Amzn-Trace-Id', value: offer.traceId },
      });
    }
    let newest: ParkedPoll | undefined;
    for (const poll of this.#parked) newest = poll;
    if (newest) {
      this.#parked.delete(newest);
      newest.serve(offer);
    }
  }

  /** Reports the complete response to the invocation in progress. */
  respond(response: RuntimeResponse): void {
    this.#onEvent({ kind: 'responded', response });
  }

  reportInitError(errorType: string, body: Buffer): void {
    this.#onEvent({ kind: 'init-error-reported', errorType, body });
  }

  /** Registers an extension; see `Extensions.register`. */
  registerExtension(
    name: string,
    events: readonly ExtensionEventType[],
  ): Extension | { readonly refused: RegisterRefusal } {
    const registered = this.extensions.register(name, events);
    if (!('refused' in registered) && registered.kind === 'external' && this.extensions.haveAllRegistered) {
      this.#onEvent({ kind: 'extensions-registered' });
    }
    return registered;
  }

  /** Parks an extension's poll. Call it only after `extensions.take('next')` has allowed it. */
  parkExtension(identifier: string, poll: ParkedEventPoll): void {
    this.extensions.park(identifier, poll);
    this.#announceReady();
  }

  reportExtensionError(extension: Extension, call: 'init-error' | 'exit-error', errorType: string): void {
    this.#onEvent({ kind: 'extension-error-reported', extension, call, errorType });
  }

  /** Subscribes an extension to telemetry while the environment initializes. Call it only if there is `telemetry`. */
  subscribeTelemetry(extension: Extension, subscription: TelemetrySubscription, reach: Reach): SubscribeOutcome {
    if (!this.telemetry) throw new Error('Cannot subscribe without telemetry');
    const outcome = this.telemetry.subscribe(extension.name, subscription, reach);
    if (outcome.kind === 'subscribed') {
      const { api, types } = subscription;
      this.#onEvent({ kind: 'telemetry-subscribed', api, name: extension.name, state: outcome.state, types });
    }
    return outcome;
  }

  /** Abandons the invocation in progress. A late response to it gets 400. */
  forgetInvocation(): void {
    this.#offer = undefined;
  }

  /** Resets everything for a new runtime process. Late requests of the old one get 400 or a closed connection. */
  reset(): void {
    this.#state = 'Started';
    this.#offer = undefined;
    for (const poll of this.#parked) poll.drop();
    this.#parked.clear();
    this.extensions.reset();
    this.#period = 'initialization';
    this.#isReadyAnnounced = false;
  }

  #announceReady(): void {
    if (this.#isReadyAnnounced || this.#state !== 'Ready' || !this.extensions.areReady(this.#period)) return;
    this.#isReadyAnnounced = true;
    if (this.#period === 'initialization') {
      this.telemetry?.closeSubscriptions(new Set(this.extensions.all.map(({ name }) => name)));
    }
    this.#onEvent({ kind: 'all-ready' });
  }
}
