/**
 * One environment's conversation with its runtime process and its extensions: parks their polls, hands them
 * invocations, takes the answers. It owns the state and nothing else: no sockets (`server.ts`), no processes, no
 * time-outs, no logs. What happens is reported through `onEvent`, in order; the environment's driver decides what
 * follows.
 */

import type { TelemetryApi, TelemetryCategory } from '../protocol/payloads.ts';
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
  readonly payload: Buffer;
  /** Where the response goes while it comes in; without one it is collected. */
  readonly sink?: ResponseSink | undefined;
};

/** A caller that reads the response as the runtime writes it. */
export interface ResponseSink {
  /** The response begins; called once, before the first chunk. `contentType` as the runtime gave it. */
  begin(contentType: string | undefined): void;
  /** Takes a chunk; the next is read from the runtime once this resolves. */
  write(chunk: Buffer): void | Promise<void>;
}

/** What the runtime made of an invocation. Payloads are opaque bytes. */
export type RuntimeResponse =
  | { readonly kind: 'response'; readonly payload: Buffer; readonly contentType: string | undefined }
  /** POST error, or the trailers of a streamed response that broke off. */
  | { readonly kind: 'error'; readonly payload: Buffer; readonly errorType: string }
  | { readonly kind: 'response-too-large' }
  | { readonly kind: 'response-truncated' }
  | { readonly kind: 'invalid-response-mode' };

export type SessionEvent =
  /** Every external extension has registered: the runtime may start. */
  | { readonly kind: 'extensions-registered' }
  /** GET next: the runtime has initialized, or has finished the invocation before. */
  | { readonly kind: 'runtime-ready' }
  /** The runtime and every extension concerned wait for what comes next. */
  | { readonly kind: 'all-ready' }
  /** POST init/error or exit/error of an extension; `errorType` is what it calls the error. It is expected to exit. */
  | {
      readonly kind: 'extension-error-reported';
      readonly extension: Extension;
      readonly call: 'init-error' | 'exit-error';
      readonly errorType: string;
    }
  /** POST init/error; `errorType` is filtered as AWS does. */
  | { readonly kind: 'init-error-reported'; readonly errorType: string; readonly body: Buffer }
  /** POST response or POST error: the answer begins to come in. */
  | { readonly kind: 'response-started' }
  | { readonly kind: 'responded'; readonly response: RuntimeResponse }
  | {
      readonly kind: 'telemetry-subscribed';
      readonly api: TelemetryApi;
      readonly name: string;
      readonly state: 'Subscribed' | 'Already subscribed';
      readonly types: readonly TelemetryCategory[];
    };

/** A poll that waits: `serve` answers it, `drop` ends its connection. */
export type ParkedPoll = { serve(offer: Offer): void; drop(): void };

export class RuntimeSession {
  readonly extensions = new Extensions();
  /** Where telemetry goes; without it, the Telemetry API answers that it is not there. */
  readonly telemetry: TelemetryStream | undefined;
  /** What the environment has done last: the extensions concerned differ. */
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

  /** Who reads the response of the invocation in progress as it comes in. */
  get sink(): ResponseSink | undefined {
    return this.#offer?.sink;
  }

  /** Moves the machine on; answers the refusal when the call is not allowed now. */
  take(event: RuntimeEvent): RuntimeStep {
    const step = stepRuntime(this.#state, event);
    if ('to' in step) {
      this.#state = step.to;
      if (event === 'response' || event === 'error') this.#onEvent({ kind: 'response-started' });
    }
    return step;
  }

  /** Serves an invocation to `poll`, now or when there is one. Call it only after `take('next')` allowed it. */
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

  /** Forgets a poll whose client went away. */
  unpark(poll: ParkedPoll): void {
    this.#parked.delete(poll);
  }

  /**
   * Hands the runtime its next invocation; the poll that came last gets it. When its connection has gone meanwhile, the
   * runtime finds the invocation with its next poll.
   */
  offer(offer: Offer): void {
    const step = this.take('offered');
    if ('refused' in step) throw new Error(`an invocation was offered to a runtime in state ${step.refused.from}`);
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

  /** The answer to the invocation in progress has been taken whole. */
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

  /** Keeps an extension's poll. Call it only after `extensions.take('next')` allowed it. */
  parkExtension(identifier: string, poll: ParkedEventPoll): void {
    this.extensions.park(identifier, poll);
    this.#announceReady();
  }

  reportExtensionError(extension: Extension, call: 'init-error' | 'exit-error', errorType: string): void {
    this.#onEvent({ kind: 'extension-error-reported', extension, call, errorType });
  }

  /** Subscribes an extension to telemetry, while the environment initializes. Call it only where there is telemetry. */
  subscribeTelemetry(extension: Extension, subscription: TelemetrySubscription, reach: Reach): SubscribeOutcome {
    if (!this.telemetry) throw new Error('a subscription was taken where there is no telemetry');
    const outcome = this.telemetry.subscribe(extension.name, subscription, reach);
    if (outcome.kind === 'subscribed') {
      const { api, types } = subscription;
      this.#onEvent({ kind: 'telemetry-subscribed', api, name: extension.name, state: outcome.state, types });
    }
    return outcome;
  }

  /** The invocation in progress is nobody's any more: a late answer to it gets 400. */
  forgetInvocation(): void {
    this.#offer = undefined;
  }

  /** Begins anew for a new runtime process: whatever the old one still says gets 400 or a closed connection. */
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
