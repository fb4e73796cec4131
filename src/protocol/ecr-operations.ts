/**
 * The part of Elastic Container Registry that deployment tools ask for, with the constraints of the API model (2015-09-21).
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/
 */
import type { Members } from './member-constraints.ts';

/** `X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories` */
export const ECR_TARGET_PREFIX = 'AmazonEC2ContainerRegistry_V20150921';

const repositoryName = {
  type: 'string',
  min: 2,
  max: 256,
  pattern: '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*',
} as const;

export const ECR_OPERATIONS = {
  DescribeRepositories: {
    registryId: { type: 'string', pattern: '[0-9]{12}' },
    repositoryNames: { type: 'list', min: 1, max: 100, of: repositoryName },
    nextToken: { type: 'string' },
    maxResults: { type: 'integer', min: 1, max: 1000 },
  },
} as const satisfies Readonly<Record<string, Members>>;
