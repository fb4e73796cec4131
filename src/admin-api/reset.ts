/** Admin API of starting over: removes everything but layers, so that tests can share a service. */
import { OperatorError } from '../operator-error.ts';
import { AdminError, type AdminRoute } from './admin-api.ts';

export function resetRoutes(reset: () => Promise<void>): readonly AdminRoute[] {
  return [
    {
      method: 'POST',
      path: '/reset',
      handle: () =>
        reset().catch((failure: unknown) => {
          if (!(failure instanceof OperatorError) || failure.code !== 'cannot-reset') throw failure;
          throw new AdminError(409, `${failure.message} ${failure.remedy}`);
        }),
    },
  ];
}
