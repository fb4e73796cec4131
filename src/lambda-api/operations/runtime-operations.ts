/** Operations of three small settings of functions: runtime management, recursion and scaling. */
import { functionNotFound } from '../../functions/function-rules.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { resolveFunctionReference, resolveUnqualifiedName } from './references.ts';

export function runtimeOperations(
  settings: Pick<FunctionSettings, 'directory' | 'runtimeManagement' | 'recursion' | 'scaling' | 'get'>,
): OperationHandlers {
  const { directory, runtimeManagement, recursion, scaling } = settings;
  return {
    PutRuntimeManagementConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      settings.get(scope, name, qualifier);
      const { UpdateRuntimeOn: updateRuntimeOn, RuntimeVersionArn: runtimeVersionArn } = input;
      if ((updateRuntimeOn === 'Manual') !== (runtimeVersionArn !== undefined)) {
        throw new ServiceError(
          'InvalidParameterValueException',
          updateRuntimeOn === 'Manual'
            ? 'RuntimeVersionArn must be provided when UpdateRuntimeOn is Manual.'
            : `RuntimeVersionArn cannot be provided when UpdateRuntimeOn is ${updateRuntimeOn}.`,
        );
      }
      runtimeManagement.put(scope, name, qualifier, { updateRuntimeOn, runtimeVersionArn });
      return {
        body: {
          UpdateRuntimeOn: updateRuntimeOn,
          FunctionArn: renderFunctionArn(scope, name, qualifier),
          RuntimeVersionArn: runtimeVersionArn,
        },
      };
    },

    GetRuntimeManagementConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      settings.get(scope, name, qualifier);
      const setting = runtimeManagement.get(scope, name, qualifier);
      return {
        body: {
          UpdateRuntimeOn: setting?.updateRuntimeOn ?? 'Auto',
          FunctionArn: renderFunctionArn(scope, name, qualifier),
          RuntimeVersionArn: setting?.runtimeVersionArn,
        },
      };
    },

    PutFunctionRecursionConfig(input, { scope }) {
      const name = resolveUnqualifiedName(scope, input.FunctionName);
      if (!directory.hasFunction(scope, name)) throw functionNotFound(scope, name);
      recursion.put(scope, name, '', input.RecursiveLoop);
      return { body: { RecursiveLoop: input.RecursiveLoop } };
    },

    GetFunctionRecursionConfig(input, { scope }) {
      const name = resolveUnqualifiedName(scope, input.FunctionName);
      if (!directory.hasFunction(scope, name)) throw functionNotFound(scope, name);
      return { body: { RecursiveLoop: recursion.get(scope, name, '') ?? 'Terminate' } };
    },

    PutFunctionScalingConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      const { state } = settings.get(scope, name, qualifier);
      scaling.put(scope, name, qualifier, input.FunctionScalingConfig ?? {});
      return { body: { FunctionState: state } };
    },

    GetFunctionScalingConfig(input, { scope }) {
      const { name, qualifier = '$LATEST' } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      settings.get(scope, name, qualifier);
      const setting = scaling.get(scope, name, qualifier);
      return {
        body: {
          FunctionArn: renderFunctionArn(scope, name, qualifier),
          AppliedFunctionScalingConfig: setting,
          RequestedFunctionScalingConfig: setting,
        },
      };
    },
  };
}
