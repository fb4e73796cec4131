/** Operations of function URLs. The rules are in `functions/settings/url-settings.ts`. */
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { FunctionUrl } from '../../functions/settings/url-settings.ts';
import { refuseTenantIsolated } from '../../functions/tenancy.ts';
import { renderDateInMicroseconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';

/** Renders the URL of a function by its id. */
export type RenderFunctionUrl = (id: string, scope: Scope) => string;

export function urlOperations({
  settings,
  renderFunctionUrl = (id, { region }) => `https://${id}.lambda-url.${region}.on.aws/`,
}: {
  settings: Pick<FunctionSettings, 'urls' | 'directory' | 'get'>;
  /** Defaults to the URL on AWS. */
  renderFunctionUrl?: RenderFunctionUrl | undefined;
}): OperationHandlers {
  const { urls } = settings;
  const render = (scope: Scope, url: FunctionUrl) => ({
    FunctionUrl: renderFunctionUrl(url.id, scope),
    FunctionArn: url.functionArn,
    AuthType: url.authType,
    Cors: url.cors,
    CreationTime: renderDateInMicroseconds(url.createdMs),
  });
  const target = (scope: Scope, text: string, given: string | undefined) => {
    const { name, qualifier } = resolveFunctionReference(scope, text, given);
    return { name, qualifier: qualifier ?? '' };
  };

  return {
    CreateFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      if (settings.directory.has(scope, name, qualifier || undefined)) {
        refuseTenantIsolated(settings.get(scope, name, qualifier || undefined), 'Function URLs are');
      }
      const url = urls.create(scope, name, qualifier, {
        authType: input.AuthType,
        cors: input.Cors,
        invokeMode: input.InvokeMode,
      });
      // Recorded on AWS: no LastModifiedTime, and InvokeMode only if the client sent one.
      return { body: { ...render(scope, url), InvokeMode: url.invokeMode } };
    },

    UpdateFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      const url = urls.update(scope, name, qualifier, {
        authType: input.AuthType,
        cors: input.Cors,
        invokeMode: input.InvokeMode,
      });
      return { body: { ...render(scope, url), ...renderCurrent(url), InvokeMode: url.invokeMode } };
    },

    GetFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      const url = urls.get(scope, name, qualifier);
      return { body: { ...render(scope, url), ...renderCurrent(url) } };
    },

    DeleteFunctionUrlConfig(input, { scope }) {
      const { name, qualifier } = target(scope, input.FunctionName, input.Qualifier);
      urls.remove(scope, name, qualifier);
      return {};
    },

    ListFunctionUrlConfigs(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName);
      if (qualifier !== undefined) throw new ServiceError('ResourceNotFoundException', 'Function does not exist');
      const { items, nextMarker } = urls.list(scope, name, pageRequestOf(input));
      return {
        body: {
          FunctionUrlConfigs: items.map((url) => ({ ...render(scope, url), ...renderCurrent(url) })),
          NextMarker: nextMarker,
        },
      };
    },
  };
}

function renderCurrent(url: FunctionUrl): Record<string, unknown> {
  return { LastModifiedTime: renderDateInMicroseconds(url.lastModifiedMs), InvokeMode: url.invokeMode ?? 'BUFFERED' };
}
