/** Operations of event invoke configurations. The rules are in `functions/settings/event-invoke-settings.ts`. */
import type {
  EventInvokeDraft,
  EventInvokeSetting,
  EventInvokeSettings,
} from '../../functions/settings/event-invoke-settings.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';

export function eventInvokeOperations(eventInvoke: EventInvokeSettings): OperationHandlers {
  return {
    PutFunctionEventInvokeConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      return { body: renderSetting(eventInvoke.put(scope, name, qualifier, draftOf(input), 'replace')) };
    },

    UpdateFunctionEventInvokeConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      return { body: renderSetting(eventInvoke.put(scope, name, qualifier, draftOf(input), 'keep')) };
    },

    GetFunctionEventInvokeConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      return { body: renderSetting(eventInvoke.get(scope, name, qualifier)) };
    },

    DeleteFunctionEventInvokeConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      eventInvoke.remove(scope, name, qualifier);
      return {};
    },

    ListFunctionEventInvokeConfigs(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const { items, nextMarker } = eventInvoke.list(scope, name, pageRequestOf(input));
      return { body: { FunctionEventInvokeConfigs: items.map(renderSetting), NextMarker: nextMarker } };
    },
  };
}

function draftOf(
  input: OperationInput<'PutFunctionEventInvokeConfig'> | OperationInput<'UpdateFunctionEventInvokeConfig'>,
): EventInvokeDraft {
  return {
    maximumRetryAttempts: input.MaximumRetryAttempts,
    maximumEventAgeSeconds: input.MaximumEventAgeInSeconds,
    destinations: input.DestinationConfig && {
      onSuccess: input.DestinationConfig.OnSuccess?.Destination,
      onFailure: input.DestinationConfig.OnFailure?.Destination,
    },
  };
}

function renderSetting(setting: EventInvokeSetting): Record<string, unknown> {
  const { onSuccess, onFailure } = setting.destinations;
  return {
    LastModified: setting.lastModifiedMs / 1000,
    FunctionArn: setting.functionArn,
    MaximumRetryAttempts: setting.maximumRetryAttempts,
    MaximumEventAgeInSeconds: setting.maximumEventAgeSeconds,
    DestinationConfig: {
      OnSuccess: { Destination: onSuccess || undefined },
      OnFailure: { Destination: onFailure || undefined },
    },
  };
}
