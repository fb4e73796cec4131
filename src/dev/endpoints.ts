/** What a deployed project offers: functions with their URLs, routes of APIs and load balancers, queues, schedules. */
import type { EmbeddedLamella } from '../lamella.ts';
import { parseFunctionReference } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import type { OperationMembers } from '../wire/api-call.ts';
import type { DeployedStack } from './deploy-stack.ts';

export type Endpoints = {
  readonly functions: readonly {
    readonly name: string;
    readonly logicalId: string;
    readonly runtime: string;
    /** Undefined for a function without a URL. */
    readonly url: string | undefined;
  }[];
  readonly routes: readonly { readonly route: string; readonly url: string; readonly target: string }[];
  readonly queues: readonly { readonly name: string; readonly url: string; readonly functions: readonly string[] }[];
  readonly schedules: readonly { readonly name: string; readonly expression: string; readonly function: string }[];
  readonly others: readonly { readonly kind: string; readonly name: string }[];
};

const OTHERS: Readonly<Record<string, string>> = {
  'AWS::SNS::Topic': 'topic',
  'AWS::S3::Bucket': 'bucket',
  'AWS::Events::EventBus': 'event bus',
};

export async function findEndpoints(
  service: Pick<EmbeddedLamella, 'call' | 'http' | 'schedules'>,
  scope: Scope,
  { resources }: DeployedStack,
): Promise<Endpoints> {
  const lambda = (operation: string, input: OperationMembers) => service.call(scope, 'lambda', operation, input);
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  const functions = await Promise.all(
    ofType('AWS::Lambda::Function').map(async ({ logicalId, physicalId: name }) => {
      const [{ Runtime }, { FunctionUrlConfigs }] = await Promise.all([
        lambda('GetFunctionConfiguration', { FunctionName: name }),
        lambda('ListFunctionUrlConfigs', { FunctionName: name }),
      ]);
      const [config] = (FunctionUrlConfigs ?? []) as readonly OperationMembers[];
      const url = config === undefined ? undefined : String(config.FunctionUrl);
      return { name, logicalId, runtime: String(Runtime ?? 'image'), url };
    }),
  );
  const { EventSourceMappings } = await lambda('ListEventSourceMappings', {});
  const mappings = (EventSourceMappings ?? []) as readonly OperationMembers[];
  const consumersOf = (name: string) =>
    mappings.flatMap(({ EventSourceArn, FunctionArn }) =>
      String(EventSourceArn).endsWith(`:${name}`) ? nameIn(String(FunctionArn)) : [],
    );
  return {
    functions,
    routes: routesOf(service),
    queues: ofType('AWS::SQS::Queue').map(({ physicalId: url }) => {
      const name = url.split('/').at(-1) ?? url;
      return { name, url, functions: consumersOf(name) };
    }),
    schedules: await schedulesOf(service, scope),
    others: resources.flatMap(({ type, physicalId }) =>
      OTHERS[type] === undefined ? [] : { kind: OTHERS[type], name: physicalId },
    ),
  };
}

/** The schedule of a rule has the rule as its target, which has targets of its own. */
async function schedulesOf(
  { call, schedules }: Pick<EmbeddedLamella, 'call' | 'schedules'>,
  scope: Scope,
): Promise<Endpoints['schedules']> {
  return Promise.all(
    schedules.list().map(async ({ name, expression, function: target }) => {
      const rule = /^rule\/(.+)$/.exec(name)?.[1];
      if (rule === undefined) return { name, expression, function: nameIn(target) };
      const { Targets } = await call(scope, 'events', 'ListTargetsByRule', { Rule: rule });
      const targets = ((Targets ?? []) as readonly OperationMembers[]).map(({ Arn }) => nameIn(String(Arn)));
      return { name: rule, expression, function: targets.join(', ') };
    }),
  );
}

function routesOf({ http }: Pick<EmbeddedLamella, 'http'>): Endpoints['routes'] {
  const { port } = new URL(http.url);
  return Object.values(http.list()).flatMap((gateway) => {
    const { address, routes } = gateway as { address?: unknown; routes?: readonly Record<string, unknown>[] };
    if (typeof address !== 'string' || routes === undefined) return [];
    const base = `http://${address.replace('/', `:${port}/`)}`;
    return routes.map((given) => {
      const route = String(given.route ?? `${given.method} ${given.path}`);
      const path = route.replace(/^\S+ /, '');
      const target =
        typeof given.function === 'string' ? nameIn(given.function) : 'fixed' in given ? 'a fixed response' : 'a proxy';
      return { route, url: path === '$default' ? base : `${base.replace(/\/$/, '')}${path}`, target };
    });
  });
}

/** The name of a function, with its qualifier, from an ARN or a name. */
function nameIn(reference: string): string {
  const parsed = parseFunctionReference(reference);
  if (parsed === undefined) return reference;
  return parsed.qualifier === undefined ? parsed.name : `${parsed.name}:${parsed.qualifier}`;
}
