/** Recognizes failures of a full disk (ENOSPC) and of an exhausted quota (EDQUOT), also of a program that was run. */
import { OperatorError } from '../operator-error.ts';

/** Returns the operator error for `failure` if the disk of `path` is full; undefined for any other failure. */
export function diskFullOf(failure: unknown, path: string): OperatorError | undefined {
  for (let cause = failure; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof OperatorError) return cause.code === 'disk-full' ? cause : undefined;
    const code = 'code' in cause ? cause.code : undefined;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT' || /No space left on device/.test(cause.message);
    if (isFull) return new OperatorError('disk-full', { path }, failure);
  }
  return undefined;
}
