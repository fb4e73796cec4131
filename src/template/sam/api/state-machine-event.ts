/** `Api` events of state machines: a method that starts an execution, and the role with which API Gateway does it. */
import { BOOLEAN, MAP, optional, type PropertyTable, required, STRING, strict } from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { isTruthy } from '../python.ts';
import type { CfnResource } from '../resources.ts';
import { eventRole } from '../state-machine/events.ts';
import { type ApiState, isManaged } from './api-state.ts';
import { hasIntegration } from './body-paths.ts';
import { addEventAuth } from './event-auth.ts';
import { own, type PythonMap, plainMap } from './python27-values.ts';
import { eventAuth, type LinkedApi, linkRestApi } from './rest-event.ts';
import { addStateMachineIntegration, closeSwagger, openSwagger } from './swagger.ts';
import { apiGatewayArn, PARTITION } from './template-arns.ts';

const PROPERTIES: PropertyTable = {
  Path: required(STRING),
  Method: required(STRING),
  RestApiId: required(STRING),
  Stage: optional(STRING),
  Auth: optional(MAP),
  UnescapeMappingTemplate: strict(BOOLEAN),
};

export function stateMachineEventKind(state: ApiState): EventKind {
  return {
    properties: PROPERTIES,
    link: (event, context) => {
      const api = linkRestApi(event, context, state);
      return (each, target) => {
        const role = eventRole(each.logicalId, target, 'apigateway');
        if (isManaged(api.properties)) addIntegration(each, target, role, api, context, state);
        return [role];
      };
    },
  };
}

function addIntegration(
  event: SamEvent,
  target: EventTarget,
  role: CfnResource,
  api: LinkedApi,
  context: SamContext,
  state: ApiState,
): void {
  const body = state.bodyOf(api.apiId, api.properties);
  if (body === undefined) return;
  const { Auth: auth, UnescapeMappingTemplate: isUnescaped } = event.properties;
  const path = event.properties.Path as string;
  const method = (event.properties.Method as string).toLowerCase();
  const edit = openSwagger(body);
  if (hasIntegration(edit.paths, path, method)) {
    throw new InvalidEvent(event.eventId, `API method "${method}" defined multiple times for path "${path}".`);
  }
  const { Condition } = target.attributes;
  addStateMachineIntegration(edit, {
    path,
    method,
    uri: plainMap({ 'Fn::Sub': own(START_EXECUTION) }),
    credentials: plainMap({ 'Fn::GetAtt': [own(role.logicalId), own('Arn')] }),
    requestTemplates: requestTemplates(target.logicalId, isTruthy(isUnescaped)),
    condition: typeof Condition === 'string' ? Condition : undefined,
  });
  if (isTruthy(auth)) {
    // The translator knows no stage for the resource policy of a state machine.
    const unstaged = { ...api, stage: event.properties.Stage === undefined ? null : api.stage };
    addEventAuth(edit, eventAuth(event, auth as never, path, method, unstaged, context));
  }
  closeSwagger(edit);
}

const START_EXECUTION = apiGatewayArn(PARTITION, 'states', 'action/StartExecution');

/** The request is the input of the execution. Without escapes of `'`, which are not JSON, if asked for. */
function requestTemplates(logicalId: string, isUnescaped: boolean): PythonMap {
  const escaped = "$util.escapeJavaScript($input.json('$'))";
  const input = isUnescaped ? `${escaped}.replaceAll("\\\\'","'")` : escaped;
  const template = `{"input": "${input}", "stateMachineArn": "\${${logicalId}}"}`;
  return plainMap({ 'application/json': plainMap({ 'Fn::Sub': own(template) }) });
}
