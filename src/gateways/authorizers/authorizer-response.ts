/**
 * Parses what the function of a Lambda authorizer returns: a policy, or a simple response of an HTTP API. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
 */
import { isObject, parseJson } from '../exchange/function-response.ts';
import { findPolicyFault, type Statement } from '../permissions/evaluate-policy.ts';
import type { LambdaAuthorizer } from './authorizer-config.ts';

export type AuthorizerResult = {
  readonly principalId: string | undefined;
  readonly usageIdentifierKey: string | undefined;
  readonly context: Readonly<Record<string, unknown>> | undefined;
  /** Undefined for a simple response. */
  readonly statements: readonly Statement[] | undefined;
  /** What a simple response says; true for a policy, which is evaluated for each request. */
  readonly isAuthorized: boolean;
};

/** The response does not have the form that the authorizer must return. The message is for the log. */
export class InvalidAuthorizerResponse extends Error {}

/** @throws InvalidAuthorizerResponse */
export function parseAuthorizerResponse(payload: Buffer, authorizer: LambdaAuthorizer): AuthorizerResult {
  const response = parseJson(payload)?.value;
  if (!isObject(response)) throw new InvalidAuthorizerResponse('it is not a JSON object');
  const context = parseContext(response.context, authorizer);
  if (authorizer.hasSimpleResponses) {
    const { isAuthorized } = response;
    if (typeof isAuthorized !== 'boolean') {
      throw new InvalidAuthorizerResponse('`isAuthorized` must be true or false');
    }
    return { principalId: undefined, usageIdentifierKey: undefined, context, statements: undefined, isAuthorized };
  }
  const principalId = parseText('principalId', response.principalId);
  const isRest = authorizer.event === 'token' || authorizer.event === 'request';
  if (isRest && principalId === undefined) throw new InvalidAuthorizerResponse('`principalId` must be a string');
  const usageIdentifierKey = parseText('usageIdentifierKey', response.usageIdentifierKey);
  return { principalId, usageIdentifierKey, context, statements: parsePolicy(response), isAuthorized: true };
}

function parsePolicy({ policyDocument, isAuthorized }: Readonly<Record<string, unknown>>): readonly Statement[] {
  if (!isObject(policyDocument)) {
    const hint = isAuthorized === undefined ? '' : '. For simple responses, set enableSimpleResponses';
    throw new InvalidAuthorizerResponse(`\`policyDocument\` must be an object${hint}`);
  }
  const statements = [policyDocument.Statement].flat();
  for (const [index, statement] of statements.entries()) {
    const fault = isObject(statement) ? findPolicyFault(statement) : 'must be an object';
    if (fault !== undefined) throw new InvalidAuthorizerResponse(`\`policyDocument.Statement[${index}]\` ${fault}`);
  }
  return statements as Statement[];
}

function parseText(member: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new InvalidAuthorizerResponse(`\`${member}\` must be a string`);
}

/** Values are text, numbers and booleans. In payload format 2.0 they can be any JSON. */
function parseContext(context: unknown, { event }: LambdaAuthorizer): Readonly<Record<string, unknown>> | undefined {
  if (context === undefined || context === null) return undefined;
  if (!isObject(context)) throw new InvalidAuthorizerResponse('`context` must be an object');
  if (event === '2.0') return context;
  for (const [name, value] of Object.entries(context)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new InvalidAuthorizerResponse(`\`context.${name}\` must be a string, a number or a boolean`);
    }
  }
  return context;
}
