/**
 * Gateway responses and API keys of REST APIs: how they reach the gateways, and what of them Lamella does not have.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
 */
import type { Scope } from '../../../protocol/names.ts';
import { badRequest, unsupported } from '../publish.ts';
import type { RestApiStore, StoredResponse } from './rest-api-store.ts';

const HEADER_PREFIX = 'gatewayresponse.header.';

/** @throws RestJsonError BadRequestException for what AWS refuses, and by name for what Lamella does not have */
export function checkGatewayResponse({ statusCode, responseParameters, responseTemplates }: StoredResponse): void {
  if (statusCode !== undefined && !/^[1-5]\d\d$/.test(statusCode)) {
    throw badRequest(`Invalid status code '${statusCode}' for a gateway response`);
  }
  for (const [target, source] of Object.entries(responseParameters ?? {})) {
    if (!target.startsWith(HEADER_PREFIX)) throw badRequest(`Invalid mapping expression specified: ${target}`);
    const isKnown = /^'.*'$|^(method\.request\.header|context|stageVariables)\.[\w.-]+$/s.test(source);
    if (!isKnown) throw unsupported(`the source "${source}" of a header of a gateway response`);
  }
  for (const template of Object.values(responseTemplates ?? {})) {
    const [directive] = /#(?:set|if|elseif|else|end|foreach|macro|define)\b|\$\{?(?:input|util)\b/.exec(template) ?? [];
    if (directive !== undefined) throw unsupported(`${directive} in the template of a gateway response`);
  }
}

/** The responses in the JSON form of a gateway. */
export function compileGatewayResponses(responses: readonly StoredResponse[]): object {
  return Object.fromEntries(
    responses.map(({ responseType, statusCode, responseParameters, responseTemplates }) => [
      responseType,
      {
        status: statusCode === undefined ? undefined : Number(statusCode),
        headers: Object.fromEntries(
          Object.entries(responseParameters ?? {}).map(([target, source]) => [
            target.slice(HEADER_PREFIX.length),
            source,
          ]),
        ),
        templates: responseTemplates,
      },
    ]),
  );
}

/** The ID of the API key with this value, if a usage plan of the stage has it and it is enabled. */
export function findApiKey(
  store: RestApiStore,
  scope: Scope,
  { apiId, stage, value }: { readonly apiId: string; readonly stage: string; readonly value: string },
): string | undefined {
  const plans = store
    .plans(scope)
    .all()
    .filter(({ apiStages }) =>
      ((apiStages ?? []) as readonly { readonly apiId?: unknown; readonly stage?: unknown }[]).some(
        (item) => item.apiId === apiId && item.stage === stage,
      ),
    );
  for (const plan of plans) {
    for (const { id } of store.planKeys(scope, String(plan.id)).all()) {
      const key = store.keys(scope).find(String(id));
      if (key !== undefined && key.value === value && key.enabled === true) return String(id);
    }
  }
  return undefined;
}
