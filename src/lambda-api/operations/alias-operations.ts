/** Operations of aliases. The rules are in `functions/aliases.ts`. */
import type { Alias, AliasDraft, Aliases } from '../../functions/aliases.ts';
import { aliasNotFound, type FunctionDirectory } from '../../functions/function-directory.ts';
import { functionNotFound } from '../../functions/function-rules.ts';
import type { Provisioner } from '../../invocation/provisioner.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';

export function aliasOperations({
  aliases,
  directory,
  provisioner,
}: {
  aliases: Aliases;
  directory: FunctionDirectory;
  provisioner: Pick<Provisioner, 'reconcile'>;
}): OperationHandlers {
  return {
    CreateAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const draft = { ...draftOf(input), version: input.FunctionVersion };
      return { body: renderAlias(aliases.create(scope, name, input.Name, draft)) };
    },

    UpdateAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const updated = aliases.update(scope, name, input.Name, draftOf(input), input.RevisionId);
      // Provisioned environments follow the alias to its new version.
      provisioner.reconcile();
      return { body: renderAlias(updated) };
    },

    GetAlias(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const alias = aliases.find(scope, name, input.Name);
      if (alias === undefined) {
        throw aliasNotFound(scope, name, input.Name);
      }
      return { body: renderAlias(alias) };
    },

    ListAliases(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      if (!directory.hasFunction(scope, name)) throw functionNotFound(scope, name);
      const { items, nextMarker } = aliases.list(scope, name, {
        ...pageRequestOf(input),
        version: input.FunctionVersion,
      });
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
    // A RoutingConfig without weights removes them.
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
