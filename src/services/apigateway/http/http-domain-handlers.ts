/** Custom domain names and API mappings as operations of API Gateway V2. */
import type { Clock } from '../../../clock.ts';
import { renderApiGatewayArn } from '../../../protocol/arn.ts';
import type { HTTP_API_OPERATIONS } from '../../../protocol/generated/api-gateway-v2-operations.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import type { DomainName, DomainNames, Mapping } from '../domain-names.ts';
import { badRequest, conflict, createId, notFound } from '../publish.ts';
import type { HttpApiStore } from './http-api-store.ts';

type DomainOperation =
  | `${'Create' | 'Get' | 'Update' | 'Delete'}${'DomainName' | 'ApiMapping'}`
  | 'GetDomainNames'
  | 'GetApiMappings';

export type DomainHandlersOptions = {
  readonly store: HttpApiStore;
  readonly domains: DomainNames;
  readonly clock: Clock;
  readonly findApi: (scope: Scope, apiId: string) => unknown;
  readonly change: <Result>(scope: Scope, apiId: string, action: () => Result) => Result;
};

export function createDomainHandlers({
  store,
  domains,
  clock,
  findApi,
  change,
}: DomainHandlersOptions): Pick<RestHandlers<typeof HTTP_API_OPERATIONS>, DomainOperation> {
  const findDomain = (scope: Scope, name: string): DomainName => {
    const domain = domains.names(scope).find(name);
    if (domain === undefined) throw notFound('Invalid domain name identifier specified');
    return domain;
  };
  const findMapping = (scope: Scope, domainName: string, id: string): Mapping => {
    const mapping = domains.mappings(scope, domainName).find(id);
    if (mapping === undefined) throw notFound(`Invalid API mapping identifier specified ${id}`);
    return mapping;
  };
  const putMapping = (scope: Scope, mapping: Mapping): Mapping => {
    const { domainName, apiId, stage = '', path } = mapping;
    findApi(scope, apiId);
    if (store.stages(scope, apiId).find(stage) === undefined) throw badRequest(`Invalid stage identifier specified`);
    const same = domains
      .mappings(scope, domainName)
      .all()
      .find((other) => other.path === path);
    if (same !== undefined && same.mappingId !== mapping.mappingId) {
      throw conflict('ApiMapping key already exists for this domain name');
    }
    return domains.mappings(scope, domainName).put(mapping.mappingId, mapping);
  };
  return {
    CreateDomainName({ domainName, tags, ...settings }, { scope }) {
      if (domains.names(scope).find(domainName) !== undefined) {
        throw conflict('The domain name you provided already exists.');
      }
      const createdDate = new Date(clock.epochMs()).toISOString();
      return renderDomain(scope, domains.names(scope).put(domainName, { domainName, createdDate, tags, settings }));
    },
    GetDomainNames: (_, { scope }) => ({
      items: domains
        .names(scope)
        .all()
        .map((domain) => renderDomain(scope, domain)),
    }),
    GetDomainName: ({ domainName }, { scope }) => renderDomain(scope, findDomain(scope, domainName)),
    UpdateDomainName({ domainName, ...given }, { scope }) {
      const before = findDomain(scope, domainName);
      const settings = { ...before.settings, ...given };
      return renderDomain(scope, domains.names(scope).put(domainName, { ...before, settings }));
    },
    DeleteDomainName({ domainName }, { scope }) {
      findDomain(scope, domainName);
      const apis = new Set(
        domains
          .mappings(scope, domainName)
          .all()
          .map(({ apiId }) => apiId),
      );
      domains.remove(scope, domainName);
      for (const apiId of apis) if (store.apis(scope).find(apiId) !== undefined) change(scope, apiId, () => undefined);
      return undefined;
    },
    CreateApiMapping({ domainName, apiId, apiMappingKey = '', stage }, { scope }) {
      findDomain(scope, domainName);
      const mapping = { mappingId: createId(6), domainName, apiId, path: apiMappingKey, stage };
      return change(scope, apiId, () => renderMapping(putMapping(scope, mapping)));
    },
    GetApiMappings({ domainName }, { scope }) {
      findDomain(scope, domainName);
      return { items: domains.mappings(scope, domainName).all().map(renderMapping) };
    },
    GetApiMapping: ({ domainName, apiMappingId }, { scope }) =>
      renderMapping(findMapping(scope, domainName, apiMappingId)),
    UpdateApiMapping({ domainName, apiMappingId, apiId, apiMappingKey, stage }, { scope }) {
      const before = findMapping(scope, domainName, apiMappingId);
      const after = { ...before, apiId, path: apiMappingKey ?? before.path, stage: stage ?? before.stage };
      const updated = change(scope, apiId, () => renderMapping(putMapping(scope, after)));
      if (before.apiId !== apiId) change(scope, before.apiId, () => undefined);
      return updated;
    },
    DeleteApiMapping({ domainName, apiMappingId }, { scope }) {
      const { apiId } = findMapping(scope, domainName, apiMappingId);
      domains.mappings(scope, domainName).remove(apiMappingId);
      if (store.apis(scope).find(apiId) !== undefined) change(scope, apiId, () => undefined);
      return undefined;
    },
  };
}

function renderDomain({ region }: Scope, { domainName, tags = {}, settings }: DomainName) {
  const given = settings.domainNameConfigurations;
  const configurations = Array.isArray(given) ? (given as readonly object[]) : [];
  return {
    domainName,
    domainNameArn: renderApiGatewayArn(region, `/domainnames/${domainName}`),
    apiMappingSelectionExpression: '$request.basepath',
    routingMode: 'API_MAPPING_ONLY',
    ...settings,
    domainNameConfigurations: configurations.map((configuration) => ({
      ...configuration,
      // The gateway answers at the custom domain itself: point it to this machine.
      apiGatewayDomainName: domainName,
      domainNameStatus: 'AVAILABLE',
      hostedZoneId: 'Z1UJRXOUMOOFQ8',
    })),
    tags,
  };
}

function renderMapping({ mappingId, apiId, path, stage }: Mapping) {
  return { apiMappingId: mappingId, apiId, apiMappingKey: path, stage };
}
