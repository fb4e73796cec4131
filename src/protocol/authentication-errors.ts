/**
 * The errors with which AWS's services reject a signature. The same fault has another name in each protocol.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
 */

/** The ways in which a signature can be wrong. */
export type SignatureFaultKind =
  | 'missing'
  | 'malformed'
  | 'unknown-key'
  | 'invalid-token'
  | 'expired-token'
  | 'mismatch'
  | 'skewed'
  | 'expired';

type Row = {
  readonly code: string;
  readonly status: number;
  /** Replaces the fault's message. */
  readonly message?: string;
};
type Rows = Readonly<Record<SignatureFaultKind, Row>>;

/** REST with JSON bodies: Lambda. */
const REST_JSON: Rows = {
  missing: { code: 'MissingAuthenticationTokenException', status: 403 },
  malformed: { code: 'IncompleteSignatureException', status: 403 },
  'unknown-key': { code: 'UnrecognizedClientException', status: 403 },
  'invalid-token': { code: 'UnrecognizedClientException', status: 403 },
  'expired-token': { code: 'ExpiredTokenException', status: 403 },
  mismatch: { code: 'InvalidSignatureException', status: 403 },
  skewed: { code: 'InvalidSignatureException', status: 403 },
  expired: { code: 'InvalidSignatureException', status: 403 },
};

/** JSON 1.1: CloudWatch Logs. */
const JSON_RPC: Rows = {
  missing: { code: 'MissingAuthenticationTokenException', status: 400 },
  malformed: { code: 'IncompleteSignatureException', status: 400 },
  'unknown-key': { code: 'UnrecognizedClientException', status: 400 },
  'invalid-token': { code: 'UnrecognizedClientException', status: 400 },
  'expired-token': { code: 'ExpiredTokenException', status: 400 },
  mismatch: { code: 'InvalidSignatureException', status: 400 },
  skewed: { code: 'InvalidSignatureException', status: 400 },
  expired: { code: 'InvalidSignatureException', status: 400 },
};

/** Query protocol: IAM, STS. */
const QUERY: Rows = {
  missing: { code: 'MissingAuthenticationToken', status: 403, message: 'Request is missing Authentication Token' },
  malformed: { code: 'IncompleteSignature', status: 400 },
  'unknown-key': { code: 'InvalidClientTokenId', status: 403 },
  'invalid-token': { code: 'InvalidClientTokenId', status: 403 },
  'expired-token': { code: 'ExpiredToken', status: 403 },
  mismatch: { code: 'SignatureDoesNotMatch', status: 403 },
  skewed: { code: 'SignatureDoesNotMatch', status: 403 },
  expired: { code: 'SignatureDoesNotMatch', status: 403 },
};

/** S3's own XML. */
const S3: Rows = {
  missing: { code: 'AccessDenied', status: 403, message: 'Access Denied' },
  malformed: { code: 'AuthorizationHeaderMalformed', status: 400 },
  'unknown-key': {
    code: 'InvalidAccessKeyId',
    status: 403,
    message: 'The AWS Access Key Id you provided does not exist in our records.',
  },
  'invalid-token': {
    code: 'InvalidToken',
    status: 400,
    message: 'The provided token is malformed or otherwise invalid.',
  },
  'expired-token': { code: 'ExpiredToken', status: 400, message: 'The provided token has expired.' },
  mismatch: {
    code: 'SignatureDoesNotMatch',
    status: 403,
    message:
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  },
  skewed: {
    code: 'RequestTimeTooSkewed',
    status: 403,
    message: "The difference between the request time and the server's time is too large.",
  },
  expired: { code: 'AccessDenied', status: 403, message: 'Request has expired' },
};

export const AUTHENTICATION_ERRORS = { 'rest-json': REST_JSON, 'json-rpc': JSON_RPC, query: QUERY, s3: S3 } as const;
