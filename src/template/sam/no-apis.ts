/** Stands for `api/` until `transform.ts` uses it: refuses APIs and their events as unknown. */
import type { Apis } from './context.ts';

export function createApis(): Apis {
  return {
    resourceKinds: [],
    functionEvents: {} as Apis['functionEvents'],
    stateMachineEvents: {} as Apis['stateMachineEvents'],
    prepare: () => {},
    beforeResource: () => {},
    finish: () => {},
    keysOf: () => Object.keys,
  };
}
