/** Tells a disk without room from every other failure of the file system; both kinds of ENOSPC mean the same here. */
import { OperatorError } from '../operator-error.ts';

/** The operator error for `failure` when it says that there is no room (or no quota) left at `path`. */
export function diskFullOf(failure: unknown, path: string): OperatorError | undefined {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new OperatorError('disk-full', { path }, failure) : undefined;
}
