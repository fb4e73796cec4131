/** CreateAlias and its kin: input -> `functions/aliases.ts`, and back to AWS's JSON. */
import type { Alias, AliasDraft } from '../../functions/aliases.ts';
import { renderFunctionArn } from '../../protocol/names.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { LambdaApiDependencies, OperationHandlers } from './dependencies.ts';
import { pageOf } from './dependencies.ts';
import { functionNotFound, resolveFunctionReference } from './references.ts';

export function aliasOperations({
  settings: { aliases, directory },
  provisioner,
}: LambdaApiDependencies): OperationHandlers {
  return {
    CreateAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const draft = { ...draftOf(input), version: input.FunctionVersion };
      return { body: renderAlias(aliases.create(scope, name, input.Name, draft)) };
    },

    UpdateAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const updated = aliases.update(scope, name, input.Name, draftOf(input), input.RevisionId);
      // What was prepared for the version it pointed to is to be prepared for the new one.
      provisioner.reconcile();
      return { body: renderAlias(updated) };
    },

    GetAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const alias = aliases.find(scope, name, input.Name);
      if (alias === undefined) {
        throw new ServiceError(
          'ResourceNotFoundException',
          `Cannot find alias arn: ${renderFunctionArn(scope, name, input.Name)}`,
        );
      }
      return { body: renderAlias(alias) };
    },

    ListAliases(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      if (!directory.hasFunction(scope, name)) throw functionNotFound(scope, name);
      const { items, nextMarker } = aliases.list(scope, name, { ...pageOf(input), version: input.FunctionVersion });
      return { body: { NextMarker: nextMarker, Aliases: items.map(renderAlias) } };
    },

    DeleteAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      aliases.remove(scope, name, input.Name);
      provisioner.reconcile();
      return {};
    },
  };
}

function draftOf(input: OperationInput<'CreateAlias'> | OperationInput<'UpdateAlias'>): AliasDraft {
  return {
    version: input.FunctionVersion,
    description: input.Description,
    // A routing without weights takes the weights away.
    weights: input.RoutingConfig && (input.RoutingConfig.AdditionalVersionWeights ?? {}),
  };
}

function renderAlias({ arn, name, version, description, weights, revisionId }: Alias): Record<string, unknown> {
  return {
    AliasArn: arn,
    Name: name,
    FunctionVersion: version,
    Description: description,
    RoutingConfig: Object.keys(weights).length > 0 ? { AdditionalVersionWeights: weights } : undefined,
    RevisionId: revisionId,
  };
}
