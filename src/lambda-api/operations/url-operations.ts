/** Function URLs: input -> `functions/settings/url-settings.ts`, and back to AWS's JSON. */
import type { FunctionUrl } from '../../functions/settings/url-settings.ts';
import type { Scope } from '../../protocol/names.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { LambdaApiDependencies, OperationHandlers } from './dependencies.ts';
import { pageOf } from './dependencies.ts';
import { resolveFunctionReference } from './references.ts';

export function urlOperations({
  settings: { urls },
  renderFunctionUrl = (id, { region }) => `https://${id}.lambda-url.${region}.on.aws/`,
}: LambdaApiDependencies): OperationHandlers {
  const render = (scope: Scope, url: FunctionUrl) => ({
    FunctionUrl: renderFunctionUrl(url.id, scope),
    FunctionArn: url.functionArn,
    AuthType: url.authType,
    Cors: url.cors,
    CreationTime: renderTime(url.createdMs),
  });
  const target = (scope: Scope, text: string, asked: string | undefined) => {
    const { name, qualifier } = resolveFunctionReference(scope, text, asked);
    return { name, qualifier: qualifier ?? '' };
  };

  return {
    CreateFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      const url = urls.create(scope, name, qualifier, {
        authType: input.AuthType,
        cors: input.Cors,
        invokeMode: input.InvokeMode,
      });
      // Recorded on AWS: no LastModifiedTime yet, and a mode only if one was ever sent.
      return { body: { ...render(scope, url), InvokeMode: url.invokeMode } };
    },

    UpdateFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      const url = urls.update(scope, name, qualifier, {
        authType: input.AuthType,
        cors: input.Cors,
        invokeMode: input.InvokeMode,
      });
      return { body: { ...render(scope, url), ...renderStanding(url), InvokeMode: url.invokeMode } };
    },

    GetFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      const url = urls.get(scope, name, qualifier);
      return { body: { ...render(scope, url), ...renderStanding(url) } };
    },

    DeleteFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      urls.remove(scope, name, qualifier);
      return {};
    },

    ListFunctionUrlConfigs(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName);
      if (qualifier !== undefined) throw new ServiceError('ResourceNotFoundException', 'Function does not exist');
      const { items, nextMarker } = urls.list(scope, name, pageOf(input));
      return {
        body: {
          FunctionUrlConfigs: items.map((url) => ({ ...render(scope, url), ...renderStanding(url) })),
          NextMarker: nextMarker,
        },
      };
    },
  };
}

function renderStanding(url: FunctionUrl): Record<string, unknown> {
  return { LastModifiedTime: renderTime(url.lastModifiedMs), InvokeMode: url.invokeMode ?? 'BUFFERED' };
}

/** `2026-11-22T10:00:00.000000Z`: these have microseconds, which a clock of milliseconds leaves zero. */
function renderTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
