/**
 * Every error that the Lambda API answers with: status, wire name, where the text goes. A row per exception; the
 * message is given by whoever throws, in AWS's words. Spelling of the message member and presence of `Type` differ by
 * exception on AWS and are copied from there (model and recordings).
 */

type ServiceErrorRow = {
  readonly status: number;
  /** `x-amzn-ErrorType`, where it is not the exception's own name. */
  readonly wireName?: string;
  /** How AWS spells the message's key for this exception. */
  readonly messageKey: 'message' | 'Message';
  /** The body's `Type`; absent for errors of the front end. */
  readonly type?: 'User' | 'Service';
};

export const SERVICE_ERRORS = {
  AccessDeniedException: { status: 403, messageKey: 'Message' },
  CodeStorageExceededException: { status: 400, messageKey: 'message', type: 'User' },
  InvalidParameterValueException: { status: 400, messageKey: 'message', type: 'User' },
  InvalidRequestContentException: { status: 400, messageKey: 'message', type: 'User' },
  NotImplementedException: { status: 501, messageKey: 'Message', type: 'Service' },
  PolicyLengthExceededException: { status: 400, messageKey: 'message', type: 'User' },
  PreconditionFailedException: { status: 412, messageKey: 'message', type: 'User' },
  RequestTooLargeException: { status: 413, wireName: 'RequestEntityTooLargeException', messageKey: 'Message' },
  ResourceConflictException: { status: 409, messageKey: 'message', type: 'User' },
  ResourceNotFoundException: { status: 404, messageKey: 'Message', type: 'User' },
  ServiceException: { status: 500, messageKey: 'Message', type: 'Service' },
  TooManyRequestsException: { status: 429, messageKey: 'message', type: 'User' },
  UnknownOperationException: { status: 404, messageKey: 'Message' },
  UnsupportedMediaTypeException: { status: 415, messageKey: 'message', type: 'User' },
  ValidationException: { status: 400, messageKey: 'message' },
} as const satisfies Record<string, ServiceErrorRow>;

export type ServiceErrorCode = keyof typeof SERVICE_ERRORS;

/** A client broke the API's contract; rendered once, at the adapter's edge. */
export class ServiceError extends Error {
  readonly code: ServiceErrorCode;
  /** Further members of the body, such as `Reason` of TooManyRequestsException. */
  readonly members: Readonly<Record<string, string>>;

  constructor(code: ServiceErrorCode, message: string, members: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'ServiceError';
    this.code = code;
    this.members = members;
  }
}
