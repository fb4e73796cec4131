/**
 * The calls of extensions: register, GET event/next, init/error, exit/error. Every refusal is a 403. The order of the
 * checks is that of RAPID, AWS's server. The rules and their sources are in docs/behavior/extensions.md.
 */

import { randomUUID } from 'node:crypto';
import type { HttpRequest, HttpResponse } from '../../http/exchange.ts';
import { parseJson } from '../../protocol/json.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { writeAccepted, writeError, writeJson } from '../api-response.ts';
import { headerOf } from '../request-header.ts';
import { readBody } from '../response-body.ts';
import type { RuntimeSession } from '../session.ts';
import {
  EXTENSION_EVENTS,
  EXTENSION_LIMIT,
  type Extension,
  type ExtensionEvent,
  type ExtensionEventType,
  type ParkedEventPoll,
} from './extensions.ts';

/** The function's properties in the response to register. */
export type FunctionMetadata = {
  readonly accountId: string;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
};

export async function handleRegister(
  session: RuntimeSession,
  metadata: FunctionMetadata,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const name = headerOf(request, 'lambda-extension-name');
  const body = await readBody(request, QUOTAS.responsePayloadBytes, session.bodies);
  if (body.kind === 'truncated') return;
  if (!name) return writeError(response, 403, 'Extension.InvalidExtensionName', 'Empty extension name');
  const parsed = parseRegistration(body.kind === 'whole' ? body.bytes.toString() : '');
  if ('invalid' in parsed) return writeError(response, 403, 'InvalidRequestFormat', parsed.invalid);
  const isInternal = !session.extensions.isExternal(name);
  for (const event of parsed.events) {
    const problem = eventProblem(event, isInternal);
    if (problem) return writeError(response, 403, 'Extension.InvalidEventType', `${event}: ${problem}`);
  }
  const registered = session.registerExtension(name, parsed.events as ExtensionEventType[]);
  if ('refused' in registered) {
    const { refused } = registered;
    switch (refused.kind) {
      case 'state':
        return writeError(
          response,
          403,
          'Extension.InvalidExtensionState',
          transitionText(refused.from, 'Registered', name),
        );
      case 'duplicate':
        return writeError(
          response,
          403,
          'Extension.InvalidExtensionState',
          'Extension with this name already registered',
        );
      case 'closed':
        return writeError(response, 403, 'Extension.RegistrationClosed', 'Extension registration closed already');
      case 'too-many':
        return writeError(response, 403, 'Extension.TooManyExtensions', `Extension limit (${EXTENSION_LIMIT}) reached`);
    }
  }
  const { accountId, functionName, functionVersion, handler } = metadata;
  const features = (headerOf(request, 'lambda-extension-accept-feature') ?? '').split(',').map((text) => text.trim());
  writeJson(
    response,
    200,
    { ...(features.includes('accountId') ? { accountId } : {}), functionName, functionVersion, handler },
    ['Lambda-Extension-Identifier', registered.identifier],
  );
}

/** GET event/next: blocks until there is an event to which the extension has subscribed. */
export function handleEventNext(session: RuntimeSession, request: HttpRequest, response: HttpResponse): void {
  request.resume();
  const extension = identify(session, request, response, (id) => `Unknown extension ${id}`);
  if (!extension) return;
  const step = session.extensions.take(extension.identifier, 'next');
  if ('refused' in step) {
    refuseState(response, step.refused.from, step.refused.target, extension.identifier);
    return;
  }
  const poll: ParkedEventPoll = {
    serve: (event) => writeEvent(response, event),
    drop: () => response.destroy(),
  };
  response.once('close', () => session.extensions.unpark(extension.identifier, poll));
  session.parkExtension(extension.identifier, poll);
}

/** POST init/error and exit/error: an extension reports an error before it exits. */
export async function handleExtensionError(
  session: RuntimeSession,
  call: 'init-error' | 'exit-error',
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const body = await readBody(request, QUOTAS.responsePayloadBytes, session.bodies);
  if (body.kind === 'truncated') return;
  const extension = identify(session, request, response, () => 'Unknown Lambda-Extension-Identifier');
  if (!extension) return;
  const claimed = headerOf(request, 'lambda-extension-function-error-type');
  if (!claimed) {
    return writeError(response, 403, 'Extension.MissingHeader', 'Lambda-Extension-Function-Error-Type not found');
  }
  const step = session.extensions.take(extension.identifier, call);
  if ('refused' in step) return refuseState(response, step.refused.from, step.refused.target, extension.identifier);
  writeAccepted(response);
  session.reportExtensionError(extension, call, claimed);
}

/** Finds the extension by the identifier header. If there is none, writes the error response and returns undefined. */
export function identify(
  session: RuntimeSession,
  request: HttpRequest,
  response: HttpResponse,
  unknownText: (identifier: string) => string,
): Extension | undefined {
  const identifier = headerOf(request, 'lambda-extension-identifier');
  if (!identifier) {
    writeError(response, 403, 'Extension.MissingExtensionIdentifier', 'Missing Lambda-Extension-Identifier header');
    return undefined;
  }
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(identifier)) {
    writeError(response, 403, 'Extension.InvalidExtensionIdentifier', 'Invalid Lambda-Extension-Identifier');
    return undefined;
  }
  const extension = session.extensions.find(identifier.toLowerCase());
  if (!extension) writeError(response, 403, 'Extension.UnknownExtensionIdentifier', unknownText(identifier));
  return extension;
}

type Registration = { readonly events: readonly string[] } | { readonly invalid: string };

function parseRegistration(text: string): Registration {
  let parsed: unknown;
  try {
    parsed = parseJson(text);
  } catch (failure) {
    return { invalid: text === '' ? 'EOF' : (failure as Error).message };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { invalid: 'json: cannot unmarshal request into Go value of type handler.RegisterRequest' };
  }
  const { events = [], configurationKeys } = parsed as { events?: unknown; configurationKeys?: unknown };
  if (Array.isArray(configurationKeys) && configurationKeys.length > 0) {
    return { invalid: 'configurationKeys are deprecated; use environment variables instead' };
  }
  const names = events ?? [];
  if (!Array.isArray(names) || !names.every((event): event is string => typeof event === 'string')) {
    return { invalid: 'json: cannot unmarshal field events of type []core.Event' };
  }
  return { events: names };
}

function eventProblem(event: string, isInternal: boolean): string | undefined {
  if (isInternal && event === 'SHUTDOWN') return 'ShutdownEventNotSupportedForInternalExtension';
  return (EXTENSION_EVENTS as readonly string[]).includes(event) ? undefined : 'ErrorInvalidEventType';
}

function writeEvent(response: HttpResponse, event: ExtensionEvent): void {
  writeJson(response, 200, event, ['Lambda-Extension-Event-Identifier', randomUUID()]);
}

function refuseState(response: HttpResponse, from: string, target: string, identifier: string): void {
  writeError(response, 403, 'Extension.InvalidExtensionState', transitionText(from, target, identifier));
}

function transitionText(from: string, target: string, extension: string): string {
  return `State transition from ${from} to ${target} failed for extension ${extension}. Error: State transition is not allowed`;
}
