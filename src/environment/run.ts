/**
 * The invocation that an environment runs: the promises its caller waits for, the runtime's response, the tail of its
 * log, and the outcome made from them. The lifecycle decides when each of these settles.
 */
import type { FunctionVersion } from '../functions/function.ts';
import { type Fault, responseTooLargePayload } from '../protocol/faults.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { RuntimeResponse } from '../runtime-api/session.ts';
import type { Invocation, Outcome } from './invocation.ts';
import { LogTail } from './telemetry/output.ts';

/** An invocation in progress in an environment. */
export type Run = {
  /** Rejects only when this machine failed, never because of the function's own failure. */
  readonly outcome: Promise<Outcome>;
  /** Settles when the environment can take another invocation, or is gone. Never rejects. */
  readonly released: Promise<'reusable' | 'gone'>;
};

export class CurrentRun implements Run {
  readonly invocation: Invocation;
  readonly outcome: Promise<Outcome>;
  readonly released: Promise<'reusable' | 'gone'>;
  readonly #version: FunctionVersion;
  readonly #tail: LogTail | undefined;
  #response: RuntimeResponse | undefined;
  #isSettled = false;
  #resolve: (outcome: Outcome) => void = () => undefined;
  #reject: (failure: unknown) => void = () => undefined;
  #release: (state: 'reusable' | 'gone') => void = () => undefined;

  constructor(version: FunctionVersion, invocation: Invocation) {
    this.#version = version;
    this.invocation = invocation;
    this.#tail = invocation.wantsLogTail ? new LogTail() : undefined;
    this.released = new Promise((resolve) => {
      this.#release = resolve;
    });
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // When the environment cannot even start the invocation, `run` throws, and the caller never receives this promise.
    this.outcome.catch(() => undefined);
  }

  /** Adds a line to the log tail, if the caller wants one. */
  appendLog(line: string): void {
    this.#tail?.append(line);
  }

  /** Keeps the runtime's response until `settle`. */
  respond(response: RuntimeResponse): void {
    this.#response = response;
  }

  /** Whether the runtime's response is an error, or not a response that Lambda accepts. */
  get hasFailed(): boolean {
    return this.#response !== undefined && this.#response.kind !== 'response';
  }

  /** Resolves the outcome with the runtime's response, if there is one and the outcome has not settled. */
  settle(): void {
    if (this.#response && !this.#isSettled) this.#settleWith(this.#outcomeOf(this.#response));
  }

  /** Resolves the outcome with the platform's error for `fault`, unless it has settled. */
  fail(fault: Fault): void {
    if (this.#isSettled) return;
    this.#settleWith(this.#failed(Buffer.from(fault.payload(this.invocation.requestId))));
  }

  /** Rejects the outcome, unless it has settled. */
  abandon(failure: Error): void {
    this.#isSettled = true;
    this.#reject(failure);
  }

  release(state: 'reusable' | 'gone'): void {
    this.#release(state);
  }

  #settleWith(outcome: Outcome): void {
    this.#isSettled = true;
    this.#resolve(outcome);
  }

  #outcomeOf(response: RuntimeResponse): Outcome {
    switch (response.kind) {
      case 'response': {
        const { payload, contentType = 'application/json' } = response;
        return { kind: 'returned', payload, contentType, ...this.#ended() };
      }
      case 'error':
        return this.#failed(response.payload);
      case 'response-too-large':
        return this.#failed(Buffer.from(responseTooLargePayload(QUOTAS.responsePayloadBytes)));
      case 'response-truncated':
        return this.#failed(Buffer.from('{"errorType":"Runtime.TruncatedResponse"}'));
      case 'invalid-response-mode':
        return this.#failed(Buffer.alloc(0));
    }
  }

  #failed(payload: Buffer): Outcome {
    return { kind: 'failed', payload, ...this.#ended() };
  }

  #ended() {
    return { executedVersion: this.#version.version, logTail: this.#tail?.bytes() };
  }
}
