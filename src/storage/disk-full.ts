/** Recognizes file system errors of a full disk (ENOSPC) and of an exhausted quota (EDQUOT). */
import { OperatorError } from '../operator-error.ts';

/** Returns the operator error for `failure` if the disk of `path` is full; undefined for any other failure. */
export function diskFullOf(failure: unknown, path: string): OperatorError | undefined {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new OperatorError('disk-full', { path }, failure) : undefined;
}
