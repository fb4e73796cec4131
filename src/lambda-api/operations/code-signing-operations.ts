/** Operations of code signing configurations. The rules are in `functions/settings/code-signing.ts`. */
import { type CodeSigning, type CodeSigningConfig, renderSigningDate } from '../../functions/settings/code-signing.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';

export function codeSigningOperations(codeSigning: CodeSigning): OperationHandlers {
  return {
    CreateCodeSigningConfig(input, { scope }) {
      const config = codeSigning.create(
        scope,
        {
          description: input.Description,
          allowedPublishers: input.AllowedPublishers.SigningProfileVersionArns,
          untrustedArtifactOnDeployment: input.CodeSigningPolicies?.UntrustedArtifactOnDeployment,
        },
        input.Tags ?? {},
      );
      return { body: { CodeSigningConfig: renderConfig(config) } };
    },

    UpdateCodeSigningConfig(input, { scope }) {
      const config = codeSigning.update(scope, input.CodeSigningConfigArn, {
        description: input.Description,
        allowedPublishers: input.AllowedPublishers?.SigningProfileVersionArns,
        untrustedArtifactOnDeployment: input.CodeSigningPolicies?.UntrustedArtifactOnDeployment,
      });
      return { body: { CodeSigningConfig: renderConfig(config) } };
    },

    GetCodeSigningConfig: (input, { scope }) => ({
      body: { CodeSigningConfig: renderConfig(codeSigning.get(scope, input.CodeSigningConfigArn)) },
    }),

    DeleteCodeSigningConfig(input, { scope }) {
      codeSigning.remove(scope, input.CodeSigningConfigArn);
      return {};
    },

    ListCodeSigningConfigs(input, { scope }) {
      const { items, nextMarker } = codeSigning.list(scope, pageRequestOf(input));
      return { body: { NextMarker: nextMarker, CodeSigningConfigs: items.map(renderConfig) } };
    },

    PutFunctionCodeSigningConfig(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      codeSigning.attach(scope, name, input.CodeSigningConfigArn);
      return { body: { CodeSigningConfigArn: input.CodeSigningConfigArn, FunctionName: name } };
    },

    GetFunctionCodeSigningConfig(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const arn = codeSigning.attached(scope, name);
      return { body: arn === undefined ? {} : { CodeSigningConfigArn: arn, FunctionName: name } };
    },

    DeleteFunctionCodeSigningConfig(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      codeSigning.detach(scope, name);
      return {};
    },

    ListFunctionsByCodeSigningConfig: (input, { scope }) => ({
      body: { FunctionArns: codeSigning.functions(scope, input.CodeSigningConfigArn) },
    }),
  };
}

function renderConfig(config: CodeSigningConfig): Record<string, unknown> {
  return {
    CodeSigningConfigId: config.id,
    CodeSigningConfigArn: config.arn,
    Description: config.description,
    AllowedPublishers: { SigningProfileVersionArns: config.allowedPublishers },
    CodeSigningPolicies: { UntrustedArtifactOnDeployment: config.untrustedArtifactOnDeployment },
    LastModified: renderSigningDate(config.lastModifiedMs),
  };
}
