/**
 * What environments report to the rest of the service, as data. An environment receives an `emit` function and does not
 * know the observers behind it.
 */
import type { Scope } from '../protocol/names.ts';

export type Fact =
  /** One event of a function's log stream; `message` includes its line end. */
  {
    readonly kind: 'log-event';
    readonly scope: Scope;
    readonly logGroup: string;
    readonly logStream: string;
    readonly epochMs: number;
    readonly message: string;
  };

export type Emit = (fact: Fact) => void;
