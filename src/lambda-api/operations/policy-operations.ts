/** Operations of the resource policies of functions and layer versions. Policy documents are JSON text in responses. */
import type { FunctionPolicies } from '../../functions/settings/function-policies.ts';
import type { LayerPolicies } from '../../layers/layer-policies.ts';
import { renderPolicy } from '../../layers/resource-policy.ts';
import { renderAccountArn, renderLayerVersionArn } from '../../protocol/arn.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { resolveFunctionReference, resolveLayerName } from './references.ts';

export function policyOperations({
  policies,
  layerPolicies,
}: {
  policies: FunctionPolicies;
  layerPolicies: LayerPolicies;
}): OperationHandlers {
  return {
    AddPermission(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      const statement = policies.add(
        scope,
        name,
        qualifier,
        {
          statementId: input.StatementId,
          action: input.Action,
          principal: input.Principal,
          sourceArn: input.SourceArn,
          sourceAccount: input.SourceAccount,
          eventSourceToken: input.EventSourceToken,
          principalOrgId: input.PrincipalOrgID,
          functionUrlAuthType: input.FunctionUrlAuthType,
          invokedViaFunctionUrl: input.InvokedViaFunctionUrl,
        },
        input.RevisionId,
      );
      return { body: { Statement: JSON.stringify(statement) } };
    },

    GetPolicy(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      const policy = policies.get(scope, name, qualifier);
      return { body: { Policy: renderPolicy(policy), RevisionId: policy.revisionId } };
    },

    RemovePermission(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      policies.remove(scope, name, qualifier, input.StatementId, input.RevisionId);
      return {};
    },

    AddLayerVersionPermission(input, { scope }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const version = checkLayerVersion(input.VersionNumber);
      const statement = {
        Sid: input.StatementId,
        Effect: 'Allow',
        Principal: /^\d{12}$/.test(input.Principal)
          ? { AWS: renderAccountArn({ ...scope, account: input.Principal }) }
          : input.Principal === '*'
            ? '*'
            : { AWS: input.Principal },
        Action: input.Action,
        Resource: renderLayerVersionArn(scope, name, version),
        ...(input.OrganizationId && { Condition: { StringEquals: { 'aws:PrincipalOrgID': input.OrganizationId } } }),
      };
      const { revisionId } = layerPolicies.add(scope, name, version, statement, input.RevisionId);
      return { body: { Statement: JSON.stringify(statement), RevisionId: revisionId } };
    },

    GetLayerVersionPolicy(input, { scope }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const policy = layerPolicies.get(scope, name, checkLayerVersion(input.VersionNumber));
      return { body: { Policy: renderPolicy(policy), RevisionId: policy.revisionId } };
    },

    RemoveLayerVersionPermission(input, { scope }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const version = checkLayerVersion(input.VersionNumber);
      layerPolicies.remove(scope, name, version, input.StatementId, input.RevisionId);
      return {};
    },
  };
}

function checkLayerVersion(version: number): number {
  if (version < 1) throw new ServiceError('InvalidParameterValueException', 'Layer Version Cannot be less than 1');
  return version;
}
