/** An error that a client of CloudFormation's API receives. */
export type StackErrorCode =
  | 'ValidationError'
  | 'AlreadyExistsException'
  | 'ChangeSetNotFound'
  | 'InsufficientCapabilitiesException'
  | 'InvalidChangeSetStatus'
  | 'LimitExceededException'
  | 'TokenAlreadyExistsException'
  | 'NotImplementedException';

export class StackError extends Error {
  readonly code: StackErrorCode;

  constructor(code: StackErrorCode, message: string) {
    super(message);
    this.name = 'StackError';
    this.code = code;
  }
}

export function invalid(message: string): StackError {
  return new StackError('ValidationError', message);
}
