/**
 * Elastic Container Registry without repositories: functions run from archives and layers, so there is nothing to store
 * images for. Serverless Framework asks whether a repository exists when it removes a service, and goes on if it does not.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
 */
import type { Log } from '../../log.ts';
import { ECR_OPERATIONS, ECR_TARGET_PREFIX } from '../../protocol/ecr-operations.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createJsonApi, JsonError } from '../../wire/json-protocol.ts';

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Creates the API of the empty registry. Operations other than `DescribeRepositories` are refused by name. */
export function createEcrApi({ log }: { readonly log: Log }): ServiceApi {
  return createJsonApi({
    name: 'ECR',
    targetPrefix: ECR_TARGET_PREFIX,
    operations: ECR_OPERATIONS,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log,
    handlers: {
      DescribeRepositories({ registryId, repositoryNames = [] }, { scope }) {
        const [missing] = repositoryNames;
        if (missing === undefined) return { repositories: [] };
        throw new JsonError(
          'RepositoryNotFoundException',
          `The repository with name '${missing}' does not exist in the registry with id '${registryId ?? scope.account}'`,
        );
      },
    },
  });
}
