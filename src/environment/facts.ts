/**
 * What environments report to the rest of the service, as data. An environment receives an `emit` function and does not
 * know the observers behind it.
 */
import type { Scope } from '../protocol/names.ts';

export type Fact =
  /** One event of a function's log stream; `message` includes its line end. */
  | {
      readonly kind: 'log-event';
      readonly scope: Scope;
      readonly functionName: string;
      readonly logGroup: string;
      readonly logStream: string;
      readonly epochMs: number;
      readonly message: string;
    }
  /** An invocation has ended. Only reported if the host asks for it. Times are in milliseconds. */
  | {
      readonly kind: 'invocation';
      readonly scope: Scope;
      readonly functionName: string;
      readonly functionVersion: string;
      readonly logStream: string;
      readonly requestId: string;
      readonly epochMs: number;
      /** Whether its environment was started for it. */
      readonly isCold: boolean;
      readonly durationMs: number;
      /** Duration of an initialization before the invocation. */
      readonly initMs: number | undefined;
      readonly memorySizeMb: number;
      readonly maxMemoryUsedMb: number;
      /** `error` also if the handler reported an error. */
      readonly status: 'success' | 'error' | 'timeout' | 'failure';
      /** The platform's name for the failure; undefined for an error of the handler. */
      readonly errorType: string | undefined;
    };

/** How an invocation ended. */
export type InvocationFact = Extract<Fact, { kind: 'invocation' }>;

export type Emit = (fact: Fact) => void;
