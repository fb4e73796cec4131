/**
 * Small resources of API Gateway: gateway responses, API keys and usage plans, which act in the gateways, and what is stored
 * without effect: models, request validators and the account.
 */
import { randomBytes } from 'node:crypto';
import type { REST_API_OPERATIONS } from '../../../protocol/generated/api-gateway-operations.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { Collection } from '../../../storage/document-table.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import { conflict, createId, notFound } from '../publish.ts';
import { checkGatewayResponse } from './gateway-responses.ts';
import { applyPatch, type PatchOperation } from './patch.ts';
import type { RestApi, RestApiStore } from './rest-api-store.ts';

type Verbs<Noun extends string> = `${'Create' | 'Get' | 'Update' | 'Delete'}${Noun}` | `Get${Noun}s`;
type RecordedOperation =
  | Verbs<'Model' | 'RequestValidator' | 'ApiKey' | 'UsagePlan'>
  | `${'Put' | 'Get' | 'Update' | 'Delete'}GatewayResponse`
  | 'GetGatewayResponses'
  | `${'Create' | 'Get' | 'Delete'}UsagePlanKey`
  | 'GetUsagePlanKeys'
  | 'GetAccount'
  | 'UpdateAccount';

export type RecordedHandlersOptions = {
  readonly store: RestApiStore;
  readonly findApi: (scope: Scope, apiId: string) => RestApi;
  readonly now: () => number;
};

type Recorded = Record<string, unknown>;

export function createRecordedHandlers({
  store,
  findApi,
  now,
}: RecordedHandlersOptions): Pick<RestHandlers<typeof REST_API_OPERATIONS>, RecordedOperation> {
  const find = <Document extends object>(collection: Collection<Document>, name: string, what: string): Document => {
    const found = collection.find(name);
    if (found === undefined) throw notFound(`Invalid ${what} identifier specified`);
    return found;
  };
  const patch = (
    collection: Collection<Recorded>,
    name: string,
    what: string,
    operations?: readonly PatchOperation[],
  ) => collection.put(name, applyPatch(find(collection, name, what), operations));
  const remove = <Document extends object>(collection: Collection<Document>, name: string, what: string): undefined => {
    find(collection, name, what);
    collection.remove(name);
    return undefined;
  };
  const responsesOf = (scope: Scope, apiId: string) => {
    findApi(scope, apiId);
    return store.gatewayResponses(scope, apiId);
  };
  const ofApi = (kind: 'models' | 'validators', scope: Scope, apiId: string) => {
    findApi(scope, apiId);
    return store[kind](scope, apiId);
  };
  const hidden = ({ value: _, ...key }: Recorded, includeValue: boolean | undefined) =>
    includeValue ? { value: _, ...key } : key;

  return {
    CreateModel({ restApiId, ...model }, { scope }) {
      const models = ofApi('models', scope, restApiId);
      if (models.find(model.name) !== undefined) throw conflict(`Model name already exists for this REST API`);
      return models.put(model.name, { id: createId(6), ...model });
    },
    GetModels: ({ restApiId }, { scope }) => ({ items: ofApi('models', scope, restApiId).all() }),
    GetModel: ({ restApiId, modelName }, { scope }) => find(ofApi('models', scope, restApiId), modelName, 'Model'),
    UpdateModel: ({ restApiId, modelName, patchOperations }, { scope }) =>
      patch(ofApi('models', scope, restApiId), modelName, 'Model', patchOperations),
    DeleteModel: ({ restApiId, modelName }, { scope }) => remove(ofApi('models', scope, restApiId), modelName, 'Model'),

    CreateRequestValidator({ restApiId, ...validator }, { scope }) {
      const id = createId(6);
      const made = { id, validateRequestBody: false, validateRequestParameters: false, ...validator };
      return ofApi('validators', scope, restApiId).put(id, made);
    },
    GetRequestValidators: ({ restApiId }, { scope }) => ({ items: ofApi('validators', scope, restApiId).all() }),
    GetRequestValidator: ({ restApiId, requestValidatorId }, { scope }) =>
      find(ofApi('validators', scope, restApiId), requestValidatorId, 'Request Validator'),
    UpdateRequestValidator: ({ restApiId, requestValidatorId, patchOperations }, { scope }) =>
      patch(ofApi('validators', scope, restApiId), requestValidatorId, 'Request Validator', patchOperations),
    DeleteRequestValidator: ({ restApiId, requestValidatorId }, { scope }) =>
      remove(ofApi('validators', scope, restApiId), requestValidatorId, 'Request Validator'),

    PutGatewayResponse({ restApiId, ...response }, { scope }) {
      checkGatewayResponse(response);
      responsesOf(scope, restApiId).put(response.responseType, response);
      return { ...response, defaultResponse: false };
    },
    GetGatewayResponses: ({ restApiId }, { scope }) => ({ items: responsesOf(scope, restApiId).all() }),
    GetGatewayResponse: ({ restApiId, responseType }, { scope }) =>
      find(responsesOf(scope, restApiId), responseType, 'Gateway response'),
    UpdateGatewayResponse({ restApiId, responseType, patchOperations }, { scope }) {
      const responses = responsesOf(scope, restApiId);
      const changed = applyPatch(find(responses, responseType, 'Gateway response'), patchOperations);
      checkGatewayResponse(changed);
      return responses.put(responseType, changed);
    },
    DeleteGatewayResponse: ({ restApiId, responseType }, { scope }) =>
      remove(responsesOf(scope, restApiId), responseType, 'Gateway response'),

    CreateApiKey({ generateDistinctId: _, ...given }, { scope }) {
      const id = createId(10);
      const value = given.value ?? randomBytes(20).toString('hex');
      const key = { enabled: false, ...given, id, value, createdDate: now(), lastUpdatedDate: now(), stageKeys: [] };
      return store.keys(scope).put(id, key);
    },
    GetApiKeys: ({ includeValues, nameQuery = '' }, { scope }) => {
      const keys = store
        .keys(scope)
        .all()
        .filter(({ name = '' }) => String(name).startsWith(nameQuery));
      return { items: keys.map((key) => hidden(key, includeValues)) };
    },
    GetApiKey: ({ apiKey, includeValue }, { scope }) =>
      hidden(find(store.keys(scope), apiKey, 'API Key'), includeValue),
    UpdateApiKey: ({ apiKey, patchOperations }, { scope }) =>
      hidden(patch(store.keys(scope), apiKey, 'API Key', patchOperations), false),
    DeleteApiKey: ({ apiKey }, { scope }) => remove(store.keys(scope), apiKey, 'API Key'),

    CreateUsagePlan(given, { scope }) {
      const id = createId(6);
      return store.plans(scope).put(id, { apiStages: [], ...given, id });
    },
    GetUsagePlans: (_, { scope }) => ({ items: store.plans(scope).all() }),
    GetUsagePlan: ({ usagePlanId }, { scope }) => find(store.plans(scope), usagePlanId, 'Usage Plan'),
    UpdateUsagePlan({ usagePlanId, patchOperations = [] }, { scope }) {
      const plan = find(store.plans(scope), usagePlanId, 'Usage Plan');
      const isStage = ({ path }: PatchOperation) => path === '/apiStages';
      const stages = patchOperations.filter(isStage).reduce(patchStages, (plan.apiStages ?? []) as readonly ApiStage[]);
      const others = patchOperations.filter((operation) => !isStage(operation));
      return store.plans(scope).put(usagePlanId, { ...applyPatch(plan, others), apiStages: stages });
    },
    DeleteUsagePlan({ usagePlanId }, { scope }) {
      remove(store.plans(scope), usagePlanId, 'Usage Plan');
      store.removeBelow(scope, usagePlanId);
      return undefined;
    },
    CreateUsagePlanKey({ usagePlanId, keyId, keyType }, { scope }) {
      find(store.plans(scope), usagePlanId, 'Usage Plan');
      const { name, value } = find(store.keys(scope), keyId, 'API Key');
      return store.planKeys(scope, usagePlanId).put(keyId, { id: keyId, type: keyType, name, value });
    },
    GetUsagePlanKeys: ({ usagePlanId }, { scope }) => ({ items: store.planKeys(scope, usagePlanId).all() }),
    GetUsagePlanKey: ({ usagePlanId, keyId }, { scope }) =>
      find(store.planKeys(scope, usagePlanId), keyId, 'Usage Plan Key'),
    DeleteUsagePlanKey: ({ usagePlanId, keyId }, { scope }) =>
      remove(store.planKeys(scope, usagePlanId), keyId, 'Usage Plan Key'),

    GetAccount: (_, { scope }) => store.account(scope).find('account') ?? ACCOUNT,
    UpdateAccount: ({ patchOperations }, { scope }) =>
      store.account(scope).put('account', applyPatch(store.account(scope).find('account') ?? ACCOUNT, patchOperations)),
  };
}

const ACCOUNT = { throttleSettings: { burstLimit: 5000, rateLimit: 10_000 }, features: ['UsagePlans'] };

type ApiStage = { readonly apiId: string; readonly stage: string };

function patchStages(stages: readonly ApiStage[], { op, value = '' }: PatchOperation): readonly ApiStage[] {
  const [apiId = '', stage = ''] = value.split(':');
  const others = stages.filter((item) => item.apiId !== apiId || item.stage !== stage);
  return op === 'remove' ? others : [...others, { apiId, stage }];
}
