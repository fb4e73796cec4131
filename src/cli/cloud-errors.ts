/** Errors of the cloud as errors for the user: with what to do about them. */
import { OperatorError } from '../operator-error.ts';
import { CloudFailure } from '../project/cloud/cloud-client.ts';

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /^(ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired)$/,
    'The keys have expired. Log in again (`aws sso login`, or new temporary keys), then run the command again: it continues.',
  ],
  [
    /^(InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|AuthFailure|IncompleteSignature|MissingAuthenticationToken)$/,
    'The keys are not known there. Check --profile, AWS_ACCESS_KEY_ID and --access-key.',
  ],
  [
    /^(SignatureDoesNotMatch|InvalidSignatureException)$/,
    'The secret does not belong to the access key, or the clock of this machine is wrong.',
  ],
  [
    /^(AccessDenied|AccessDeniedException|AuthorizationError|UnauthorizedOperation|403)$/,
    'Ask for the permission, or use other keys with --profile.',
  ],
  [
    /^InsufficientCapabilities/,
    'Agree with --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND: the template makes roles, or roles with names.',
  ],
  [/^(NoSuchBucket|404)$/, 'Check --s3-bucket and --region.'],
  [/^(NotImplementedException|501)$/, 'The endpoint does not offer this.'],
  [/^AlreadyExistsException$/, 'Another deployment has made it meanwhile. Run the command again: it continues.'],
  [/^(Throttling|LimitExceeded)/, 'Wait a while, then run the command again: it continues.'],
];

/** @throws OperatorError for an error of the cloud, and any other failure as it is */
export async function explainingCloud<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (failure) {
    if (!(failure instanceof CloudFailure)) throw failure;
    const { code, message, operation } = failure;
    const remedy =
      REMEDIES.find(([pattern]) => pattern.test(code))?.[1] ??
      'Correct the cause and run the command again: it continues.';
    throw new OperatorError('cloud-refused', { code, message, operation, remedy }, failure);
  }
}
