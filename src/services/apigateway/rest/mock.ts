/**
 * Mock integrations. Lamella evaluates no mapping templates: the status of the request template, the headers and the body
 * must be constants, as in the OPTIONS methods that tools create for CORS. Anything else is refused by name.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
 */
import { unsupported } from '../publish.ts';
import type { Integration, IntegrationResponse } from './rest-api-store.ts';

export type MockResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** The only response of a mock integration. @throws RestJsonError BadRequestException */
export function mockResponse(integration: Integration): MockResponse {
  const status = requestedStatus(integration);
  const responses = Object.values(integration.integrationResponses ?? {});
  const chosen =
    responses.find(({ selectionPattern }) => selectionPattern && matches(selectionPattern, status)) ??
    responses.find(({ selectionPattern }) => !selectionPattern);
  if (chosen === undefined) {
    return { status: 500, headers: {}, body: '{"message": "Internal server error"}' };
  }
  return render(chosen);
}

/** @throws RestJsonError BadRequestException for what is not a constant */
export function checkMock(integration: Integration): void {
  requestedStatus(integration);
  for (const response of Object.values(integration.integrationResponses ?? {})) render(response);
}

function requestedStatus({ requestTemplates = {} }: Integration): string {
  const [type, template] = Object.entries(requestTemplates)[0] ?? ['application/json', ''];
  if (/[$#]/.test(template)) throw unsupported(`the mapping template "${type}" of a mock integration: use constants`);
  return /["']?statusCode["']?\s*:\s*["']?(\d{3})/.exec(template)?.[1] ?? '200';
}

/** A pattern is a regular expression for the whole status. The ones in use are statuses, `2\d{2}` or `4..`. */
function matches(pattern: string, status: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`).test(status);
  } catch {
    return false;
  }
}

function render({ statusCode, responseParameters = {}, responseTemplates = {} }: IntegrationResponse): MockResponse {
  const headers = Object.entries(responseParameters).map(([target, value]): [string, string] => {
    const name = /^method\.response\.header\.(.+)$/.exec(target)?.[1];
    const constant = /^'([^\r\n]*)'$/.exec(value)?.[1];
    if (name === undefined || constant === undefined) {
      throw unsupported(`the response parameter "${target}" with the value ${value}: use a constant, such as "'*'"`);
    }
    return [name, constant];
  });
  const [type, body] = Object.entries(responseTemplates)[0] ?? ['application/json', ''];
  if (/[$#]/.test(body)) throw unsupported(`the mapping template "${type}" of a response: use constants`);
  return { status: Number(statusCode), headers: { 'Content-Type': type, ...Object.fromEntries(headers) }, body };
}
