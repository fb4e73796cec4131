/** Custom domain names and base path mappings as operations of API Gateway V1. */
import { renderApiGatewayArn } from '../../../protocol/arn.ts';
import type { REST_API_OPERATIONS } from '../../../protocol/generated/api-gateway-operations.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import type { DomainName, DomainNames, Mapping } from '../domain-names.ts';
import { badRequest, conflict, notFound } from '../publish.ts';
import { applyPatch } from './patch.ts';
import type { RestApi, RestApiStore } from './rest-api-store.ts';

type Verbs<Noun extends string> = `${'Create' | 'Get' | 'Update' | 'Delete'}${Noun}` | `Get${Noun}s`;

export type RestDomainOptions = {
  readonly store: RestApiStore;
  readonly domains: DomainNames;
  readonly change: <Result>(scope: Scope, apiId: string, action: (api: RestApi) => Result) => Result;
  readonly findApi: (scope: Scope, apiId: string) => RestApi;
  readonly now: () => number;
};

/** How a mapping of the whole domain is named in paths. */
const NONE = '(none)';

export function createRestDomainHandlers({
  store,
  domains,
  change,
  findApi,
  now,
}: RestDomainOptions): Pick<RestHandlers<typeof REST_API_OPERATIONS>, Verbs<'DomainName' | 'BasePathMapping'>> {
  const findDomain = (scope: Scope, name: string): DomainName => {
    const domain = domains.names(scope).find(name);
    if (domain === undefined) throw notFound('Invalid domain name identifier specified');
    return domain;
  };
  const findMapping = (scope: Scope, domainName: string, basePath: string): Mapping => {
    const path = basePath === NONE ? '' : basePath;
    const mapping = domains
      .mappings(scope, domainName)
      .all()
      .find((candidate) => candidate.path === path);
    if (mapping === undefined) throw notFound('Invalid base path mapping identifier specified');
    return mapping;
  };
  const putMapping = (scope: Scope, mapping: Mapping): Mapping => {
    findApi(scope, mapping.apiId);
    if (mapping.stage !== undefined && store.stages(scope, mapping.apiId).find(mapping.stage) === undefined) {
      throw badRequest('Invalid stage identifier specified');
    }
    return domains.mappings(scope, mapping.domainName).put(mapping.mappingId, mapping);
  };
  const publishIfExists = (scope: Scope, apiId: string): void => {
    if (store.apis(scope).find(apiId) !== undefined) change(scope, apiId, () => undefined);
  };
  return {
    CreateDomainName({ domainName, tags, ...settings }, { scope }) {
      if (domains.names(scope).find(domainName) !== undefined) {
        throw conflict('The domain name you provided already exists.');
      }
      const createdDate = new Date(now() * 1000).toISOString();
      return renderDomain(scope, domains.names(scope).put(domainName, { domainName, createdDate, tags, settings }));
    },
    GetDomainNames: (_, { scope }) => ({
      items: domains
        .names(scope)
        .all()
        .map((domain) => renderDomain(scope, domain)),
    }),
    GetDomainName: ({ domainName }, { scope }) => renderDomain(scope, findDomain(scope, domainName)),
    UpdateDomainName({ domainName, patchOperations }, { scope }) {
      const domain = findDomain(scope, domainName);
      const settings = applyPatch(domain.settings, patchOperations);
      return renderDomain(scope, domains.names(scope).put(domainName, { ...domain, settings }));
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
      for (const apiId of apis) publishIfExists(scope, apiId);
      return undefined;
    },
    CreateBasePathMapping({ domainName, basePath = '', restApiId, stage }, { scope }) {
      findDomain(scope, domainName);
      const path = basePath === NONE ? '' : basePath;
      if (
        domains
          .mappings(scope, domainName)
          .all()
          .some((mapping) => mapping.path === path)
      ) {
        throw conflict('Base path already exists for this domain name');
      }
      // The path identifies a mapping of version 1.
      const mappingId = Buffer.from(path || NONE).toString('hex');
      const mapping = { mappingId, domainName, apiId: restApiId, path, stage: stage || undefined };
      return change(scope, restApiId, () => renderMapping(putMapping(scope, mapping)));
    },
    GetBasePathMappings: ({ domainName }, { scope }) => {
      findDomain(scope, domainName);
      return { items: domains.mappings(scope, domainName).all().map(renderMapping) };
    },
    GetBasePathMapping: ({ domainName, basePath }, { scope }) =>
      renderMapping(findMapping(scope, domainName, basePath)),
    UpdateBasePathMapping({ domainName, basePath, patchOperations }, { scope }) {
      const before = findMapping(scope, domainName, basePath);
      const patched = applyPatch(renderMapping(before), patchOperations);
      const path = patched.basePath === NONE ? '' : patched.basePath;
      const after = { ...before, apiId: patched.restApiId, path, stage: patched.stage };
      const updated = change(scope, after.apiId, () => renderMapping(putMapping(scope, after)));
      if (after.apiId !== before.apiId) publishIfExists(scope, before.apiId);
      return updated;
    },
    DeleteBasePathMapping({ domainName, basePath }, { scope }) {
      const { apiId, mappingId } = findMapping(scope, domainName, basePath);
      domains.mappings(scope, domainName).remove(mappingId);
      publishIfExists(scope, apiId);
      return undefined;
    },
  };
}

function renderDomain({ region }: Scope, { domainName, tags = {}, settings }: DomainName) {
  return {
    ...settings,
    domainName,
    domainNameArn: renderApiGatewayArn(region, `/domainnames/${domainName}`),
    domainNameStatus: 'AVAILABLE',
    // The gateway answers at the custom domain itself: point it to this machine.
    distributionDomainName: domainName,
    distributionHostedZoneId: 'Z2FDTNDATAQYW2',
    regionalDomainName: domainName,
    regionalHostedZoneId: 'Z1UJRXOUMOOFQ8',
    tags,
  };
}

function renderMapping({ path, apiId, stage }: Mapping) {
  return { basePath: path === '' ? NONE : path, restApiId: apiId, stage };
}
