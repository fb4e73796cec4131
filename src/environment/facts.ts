/**
 * What an environment has to tell the rest of the service, as data. Observers (log store, history, metrics, console)
 * are handed an `emit`; an environment never calls them by name.
 */
import type { Scope } from '../protocol/names.ts';

export type Fact =
  /** One event of a function's log stream; `message` keeps its own line end. */
  {
    readonly kind: 'log-event';
    readonly scope: Scope;
    readonly logGroup: string;
    readonly logStream: string;
    readonly epochMs: number;
    readonly message: string;
  };

export type Emit = (fact: Fact) => void;
