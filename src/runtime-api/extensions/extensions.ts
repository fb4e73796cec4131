/**
 * The extensions of one environment: their states, the events to which they have subscribed, and their waiting polls.
 * Part of the environment's session. External extensions are announced by name before they start; any other name that
 * registers in time belongs to an internal extension, which runs in the runtime's process.
 */
import { randomUUID } from 'node:crypto';
import { type ExtensionCall, type ExtensionState, type ExtensionStep, stepExtension } from './extension-state.ts';

export const EXTENSION_EVENTS = ['INVOKE', 'SHUTDOWN'] as const;
export type ExtensionEventType = (typeof EXTENSION_EVENTS)[number];

/** Maximum number of extensions, external and internal combined. */
export const EXTENSION_LIMIT = 10;

/** The JSON body of a response to GET event/next. */
export type ExtensionEvent =
  | {
      readonly eventType: 'INVOKE';
      readonly deadlineMs: number;
      readonly requestId: string;
      readonly invokedFunctionArn: string;
      readonly tracing: { readonly type: 'X-Amzn-Trace-Id'; readonly value: string };
    }
  | {
      readonly eventType: 'SHUTDOWN';
      readonly deadlineMs: number;
      readonly shutdownReason: 'spindown' | 'timeout' | 'failure';
    };

/** A waiting poll: `serve` responds to it, `drop` closes its connection. */
export type ParkedEventPoll = { serve(event: ExtensionEvent): void; drop(): void };

export type Extension = {
  readonly name: string;
  readonly identifier: string;
  readonly kind: 'external' | 'internal';
  readonly events: ReadonlySet<ExtensionEventType>;
  readonly state: ExtensionState;
};

type Entry = {
  readonly name: string;
  readonly identifier: string;
  readonly kind: 'external' | 'internal';
  events: Set<ExtensionEventType>;
  state: ExtensionState;
  poll: ParkedEventPoll | undefined;
};

export type RegisterRefusal =
  | { readonly kind: 'state'; readonly from: ExtensionState }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'too-many' };

export class Extensions {
  readonly #byName = new Map<string, Entry>();
  readonly #byIdentifier = new Map<string, Entry>();
  #isRegistrationOpen = true;
  /** Set when the environment shuts down, for extensions that have not called next yet. */
  #shutdown: ExtensionEvent | undefined;

  /** Announces external extensions before they are started. */
  expect(names: readonly string[]): void {
    for (const name of names) this.#add({ name, kind: 'external', state: 'Started' });
  }

  /** Marks an announced extension that cannot be started. */
  failLaunch(name: string): void {
    const entry = this.#byName.get(name);
    if (entry) this.take(entry.identifier, 'launch-error');
  }

  /** Whether `name` is an external extension. */
  isExternal(name: string): boolean {
    return this.#byName.get(name)?.kind === 'external';
  }

  /** Registers an extension. A name that was not announced belongs to an internal extension. */
  register(name: string, events: readonly ExtensionEventType[]): Extension | { readonly refused: RegisterRefusal } {
    const known = this.#byName.get(name);
    if (known?.kind === 'internal') return { refused: { kind: 'duplicate' } };
    if (!known && !this.#isRegistrationOpen) return { refused: { kind: 'closed' } };
    if (!known && this.#byName.size >= EXTENSION_LIMIT) return { refused: { kind: 'too-many' } };
    const entry = known ?? this.#add({ name, kind: 'internal', state: 'Started' });
    const step = stepExtension(entry.state, 'register');
    if ('refused' in step) return { refused: { kind: 'state', from: step.refused.from } };
    entry.state = step.to;
    entry.events = new Set(events);
    return entry;
  }

  find(identifier: string): Extension | undefined {
    return this.#byIdentifier.get(identifier);
  }

  /** Advances an extension's state, or returns a refusal when the call is not allowed now. */
  take(identifier: string, call: ExtensionCall): ExtensionStep {
    const entry = this.#entry(identifier);
    const step = stepExtension(entry.state, call);
    if ('to' in step) entry.state = step.to;
    return step;
  }

  /** Parks a poll until there is an event. Call it only after `take('next')` has allowed it. */
  park(identifier: string, poll: ParkedEventPoll): void {
    const entry = this.#entry(identifier);
    entry.poll = poll;
    if (this.#shutdown && entry.events.has('SHUTDOWN')) this.#handOver(entry, this.#shutdown);
  }

  unpark(identifier: string, poll: ParkedEventPoll): void {
    const entry = this.#byIdentifier.get(identifier);
    if (entry?.poll === poll) entry.poll = undefined;
  }

  /** Sends `event` to all extensions that subscribed to it. SHUTDOWN also reaches extensions that call next later. */
  publish(event: ExtensionEvent): void {
    if (event.eventType === 'SHUTDOWN') this.#shutdown = event;
    for (const entry of this.#byName.values()) {
      if (entry.events.has(event.eventType)) this.#handOver(entry, event);
    }
  }

  closeRegistration(): void {
    this.#isRegistrationOpen = false;
  }

  get count(): number {
    return this.#byName.size;
  }

  get all(): readonly Extension[] {
    return [...this.#byName.values()];
  }

  /** Whether all announced extensions have registered. */
  get haveAllRegistered(): boolean {
    for (const entry of this.#byName.values()) if (entry.state === 'Started') return false;
    return true;
  }

  /** Whether all extensions have called next. After an invocation, only those that subscribed to INVOKE have to. */
  areReady(since: 'initialization' | 'invocation'): boolean {
    for (const { state, events } of this.#byName.values()) {
      if (since === 'invocation' && !events.has('INVOKE')) continue;
      if (state !== 'Ready') return false;
    }
    return true;
  }

  /** Removes all extensions, before new processes are started. */
  reset(): void {
    for (const { poll } of this.#byName.values()) poll?.drop();
    this.#byName.clear();
    this.#byIdentifier.clear();
    this.#isRegistrationOpen = true;
    this.#shutdown = undefined;
  }

  #handOver(entry: Entry, event: ExtensionEvent): void {
    const step = stepExtension(entry.state, 'event');
    if ('refused' in step) return;
    const { poll } = entry;
    entry.state = step.to;
    entry.poll = undefined;
    poll?.serve(event);
  }

  #add(entry: Pick<Entry, 'name' | 'kind' | 'state'>): Entry {
    const added: Entry = { ...entry, identifier: randomUUID(), events: new Set(), poll: undefined };
    this.#byName.set(added.name, added);
    this.#byIdentifier.set(added.identifier, added);
    return added;
  }

  #entry(identifier: string): Entry {
    const entry = this.#byIdentifier.get(identifier);
    if (!entry) throw new Error('The extension does not exist');
    return entry;
  }
}
