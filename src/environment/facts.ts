/**
 * What an environment has to tell the rest of the service, as data. Observers (log store, history, metrics, console)
 * are handed an `emit`; an environment never calls them by name.
 */
import type { FunctionName, RequestId, Scope, Version } from '../protocol/names.ts';

export type Fact =
  /** One event of a function's log stream; `message` keeps its own line end. */
  | {
      readonly kind: 'log-event';
      readonly scope: Scope;
      readonly logGroup: string;
      readonly logStream: string;
      readonly epochMs: number;
      readonly message: string;
    }
  /** An invocation is over. Durations in milliseconds, memory in MB. */
  | {
      readonly kind: 'invocation-ended';
      readonly scope: Scope;
      readonly functionName: FunctionName;
      readonly version: Version;
      readonly requestId: RequestId;
      readonly epochMs: number;
      readonly status: 'success' | 'error' | 'timeout' | 'failure';
      readonly durationMs: number;
      readonly initDurationMs: number | undefined;
      readonly maxMemoryUsedMb: number;
    };

export type Emit = (fact: Fact) => void;
