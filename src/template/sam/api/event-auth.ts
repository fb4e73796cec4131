/** `Auth` of an `Api` event: the authorizer, the API key and the resource policy of one method. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectList, expectMap, isMap, member } from '../checks.ts';
import { InvalidEvent } from '../errors.ts';
import { isTruthy, pythonStr } from '../python.ts';
import type { PythonValue } from './python27-values.ts';
import { addCustomStatements, addResourcePolicy } from './resource-policy.ts';
import type { SwaggerEdit } from './swagger.ts';
import { addMethodAuth } from './swagger-security.ts';

export interface EventAuth {
  readonly eventId: string;
  readonly auth: JsonObject;
  readonly path: string;
  readonly method: string;
  readonly apiId: string;
  /** `Auth` of the API with parameters resolved, and as it is in the template. */
  readonly apiAuth: Json | undefined;
  readonly ownAuth: Json | undefined;
  /** The name of the stage for resource policies. */
  readonly stage: PythonValue;
}

/** @throws InvalidEvent, InvalidResource or InvalidDocument */
export function addEventAuth(edit: SwaggerEdit, event: EventAuth): void {
  const { eventId, auth, path, method, apiAuth, ownAuth } = event;
  const authorizer = member(auth, 'Authorizer');
  if (isTruthy(authorizer)) checkAuthorizer(event, authorizer as Json);
  const scopes = member(auth, 'AuthorizationScopes');
  if (isTruthy(scopes)) {
    expectList(scopes, { event: eventId, path: 'Auth.AuthorizationScopes' });
    if (!isTruthy(authorizer)) throw new InvalidEvent(eventId, 'AuthorizationScopes works only when Authorizer is set');
  }
  const isKeyRequired = member(auth, 'ApiKeyRequired') ?? null;
  if (isKeyRequired !== null && !isTruthy(isKeyRequired) && !isTruthy(settingOf(apiAuth, 'ApiKeyRequired'))) {
    const where = `on API method [${method}] for path [${path}]`;
    const problem = 'because the related API does not specify any ApiKeyRequired.';
    throw new InvalidEvent(eventId, `Unable to set ApiKeyRequired [False] ${where} ${problem}`);
  }
  if (isTruthy(authorizer) || isKeyRequired !== null) {
    addMethodAuth(edit, path, method, auth, settingOf(ownAuth, 'Authorizers'));
  }
  const policy = member(auth, 'ResourcePolicy');
  if (!isTruthy(policy)) return;
  const checked = expectMap(policy, { resource: eventId, path: 'Auth.ResourcePolicy' });
  addResourcePolicy(edit, checked, path, event.stage);
  if (isTruthy(checked.CustomStatements)) addCustomStatements(edit, checked.CustomStatements as Json);
}

const settingOf = (auth: Json | undefined, name: string): Json | undefined =>
  isMap(auth) ? member(auth, name) : undefined;

function checkAuthorizer({ eventId, apiId, apiAuth, path, method }: EventAuth, authorizer: Json): void {
  const authorizers = settingOf(apiAuth, 'Authorizers');
  if (isTruthy(authorizers)) expectMap(authorizers, { resource: apiId, path: 'Auth.Authorizers' });
  if (authorizer === 'AWS_IAM') return;
  const where = `on API method [${method}] for path [${path}]`;
  if (authorizer === 'NONE') {
    if (isTruthy(settingOf(apiAuth, 'DefaultAuthorizer'))) return;
    const problem = "because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.";
    throw new InvalidEvent(eventId, `Unable to set Authorizer ${where} ${problem}`);
  }
  const named = `Unable to set Authorizer [${pythonStr(authorizer)}] ${where}`;
  if (!isTruthy(authorizers)) {
    throw new InvalidEvent(eventId, `${named} because the related API does not define any Authorizers.`);
  }
  if (typeof authorizer !== 'string' || !isMap(authorizers)) throw mistypedAuthorizer(eventId, named);
  if (!isTruthy(member(authorizers, authorizer))) {
    throw new InvalidEvent(eventId, `${named} because it wasn't defined in the API's Authorizers.`);
  }
}

/** `named` is the beginning of the message. */
export function mistypedAuthorizer(eventId: string, named: string): InvalidEvent {
  const problem = 'The method authorizer must be a string with a corresponding dict entry in the api authorizer.';
  return new InvalidEvent(eventId, `${named}. ${problem}`);
}
