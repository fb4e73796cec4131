/**
 * The errors of the Lambda API, one row per exception: status, wire name and the place of the message. The message
 * itself comes from the code that throws, in AWS's wording. The spelling of the message member and the presence of
 * `Type` differ by exception, as in AWS's model and recordings.
 */

type ServiceErrorRow = {
  readonly status: number;
  /** `x-amzn-ErrorType`, if it is not the exception's name. */
  readonly wireName?: string;
  /** AWS's spelling of the message member for this exception. */
  readonly messageKey: 'message' | 'Message';
  /** The body's `Type`. Errors of AWS's front end have none. */
  readonly type?: 'User' | 'Service';
};

export const SERVICE_ERRORS = {
  AccessDeniedException: { status: 403, messageKey: 'Message' },
  AliasLimitExceededException: { status: 400, messageKey: 'message', type: 'User' },
  CallbackTimeoutException: { status: 400, messageKey: 'Message', type: 'User' },
  CapacityProviderLimitExceededException: { status: 400, messageKey: 'message', type: 'User' },
  CodeArtifactUserDeletedException: { status: 409, messageKey: 'message', type: 'User' },
  CodeArtifactUserFailedException: { status: 409, messageKey: 'message', type: 'User' },
  CodeArtifactUserPendingException: { status: 409, messageKey: 'message', type: 'User' },
  CodeSigningConfigNotFoundException: { status: 404, messageKey: 'Message', type: 'User' },
  CodeStorageExceededException: { status: 400, messageKey: 'message', type: 'User' },
  CodeVerificationFailedException: { status: 400, messageKey: 'Message', type: 'User' },
  DurableExecutionAlreadyStartedException: { status: 409, messageKey: 'Message', type: 'User' },
  EC2AccessDeniedException: { status: 502, messageKey: 'Message', type: 'Service' },
  EC2ThrottledException: { status: 502, messageKey: 'Message', type: 'Service' },
  EC2UnexpectedException: { status: 502, messageKey: 'Message', type: 'Service' },
  EFSIOException: { status: 410, messageKey: 'Message', type: 'User' },
  EFSMountConnectivityException: { status: 408, messageKey: 'Message', type: 'User' },
  EFSMountFailureException: { status: 403, messageKey: 'Message', type: 'User' },
  EFSMountTimeoutException: { status: 408, messageKey: 'Message', type: 'User' },
  ENILimitReachedException: { status: 502, messageKey: 'Message', type: 'Service' },
  ENINotReadyException: { status: 502, messageKey: 'Message', type: 'Service' },
  FunctionVersionsPerCapacityProviderLimitExceededException: { status: 400, messageKey: 'message', type: 'User' },
  InvalidCodeSignatureException: { status: 400, messageKey: 'Message', type: 'User' },
  InvalidParameterValueException: { status: 400, messageKey: 'message', type: 'User' },
  InvalidRequestContentException: { status: 400, messageKey: 'message', type: 'User' },
  InvalidRuntimeException: { status: 502, messageKey: 'Message', type: 'Service' },
  InvalidSecurityGroupIDException: { status: 502, messageKey: 'Message', type: 'Service' },
  InvalidSubnetIDException: { status: 502, messageKey: 'Message', type: 'Service' },
  InvalidZipFileException: { status: 502, messageKey: 'Message', type: 'Service' },
  KMSAccessDeniedException: { status: 502, messageKey: 'Message', type: 'Service' },
  KMSDisabledException: { status: 502, messageKey: 'Message', type: 'Service' },
  KMSInvalidStateException: { status: 502, messageKey: 'Message', type: 'Service' },
  KMSNotFoundException: { status: 502, messageKey: 'Message', type: 'Service' },
  ModeNotSupportedException: { status: 400, messageKey: 'message', type: 'User' },
  NoPublishedVersionException: { status: 400, messageKey: 'Message', type: 'User' },
  NotImplementedException: { status: 501, messageKey: 'Message', type: 'Service' },
  PolicyLengthExceededException: { status: 400, messageKey: 'message', type: 'User' },
  PreconditionFailedException: { status: 412, messageKey: 'message', type: 'User' },
  ProvisionedConcurrencyConfigNotFoundException: { status: 404, messageKey: 'message', type: 'User' },
  PublicPolicyException: { status: 400, messageKey: 'Message', type: 'User' },
  RecursiveInvocationException: { status: 400, messageKey: 'Message', type: 'User' },
  RequestTooLargeException: { status: 413, wireName: 'RequestEntityTooLargeException', messageKey: 'Message' },
  ResourceConflictException: { status: 409, messageKey: 'message', type: 'User' },
  ResourceInUseException: { status: 400, messageKey: 'Message', type: 'User' },
  ResourceNotFoundException: { status: 404, messageKey: 'Message', type: 'User' },
  ResourceNotReadyException: { status: 502, messageKey: 'message', type: 'Service' },
  S3FilesMountConnectivityException: { status: 408, messageKey: 'Message', type: 'User' },
  S3FilesMountFailureException: { status: 403, messageKey: 'Message', type: 'User' },
  S3FilesMountTimeoutException: { status: 408, messageKey: 'Message', type: 'User' },
  SerializationException: { status: 400, messageKey: 'message' },
  SerializedRequestEntityTooLargeException: { status: 413, messageKey: 'message', type: 'User' },
  ServiceException: { status: 500, messageKey: 'Message', type: 'Service' },
  ServiceQuotaExceededException: { status: 402, messageKey: 'Message', type: 'User' },
  SnapStartException: { status: 400, messageKey: 'Message', type: 'User' },
  SnapStartNotReadyException: { status: 409, messageKey: 'Message', type: 'User' },
  SnapStartRegenerationFailureException: { status: 409, messageKey: 'Message', type: 'User' },
  SnapStartTimeoutException: { status: 408, messageKey: 'Message', type: 'User' },
  SubnetIPAddressLimitReachedException: { status: 502, messageKey: 'Message', type: 'Service' },
  TooManyRequestsException: { status: 429, messageKey: 'message', type: 'User' },
  UnknownOperationException: { status: 404, messageKey: 'Message' },
  UnsupportedMediaTypeException: { status: 415, messageKey: 'message', type: 'User' },
  /** Recorded on AWS: some operations send this and the next error without a `Type`. */
  UntypedInvalidParameterValueException: {
    status: 400,
    wireName: 'InvalidParameterValueException',
    messageKey: 'message',
  },
  UntypedResourceNotFoundException: { status: 404, wireName: 'ResourceNotFoundException', messageKey: 'Message' },
  ValidationException: { status: 400, messageKey: 'message' },
} as const satisfies Record<string, ServiceErrorRow>;

export type ServiceErrorCode = keyof typeof SERVICE_ERRORS;

/** A client violated the API's contract. The Lambda API renders it. */
export class ServiceError extends Error {
  readonly code: ServiceErrorCode;
  /** Further members of the body, such as `Reason` of TooManyRequestsException. */
  readonly members: Readonly<Record<string, string>>;

  /** `message` is null where AWS's message is null. */
  constructor(code: ServiceErrorCode, message: string | null, members: Readonly<Record<string, string>> = {}) {
    super(message ?? '');
    this.name = 'ServiceError';
    this.code = code;
    this.members = members;
  }
}
