/** CapacityProviderConfig of a function. */
import type { Json, JsonObject } from '../../tree.ts';
import { InvalidResource } from '../errors.ts';
import { float, integer, intrinsicOr, libraryMessage, may, needs, objectModel, type Problem, text } from '../models.ts';

const MODEL = objectModel({
  Arn: needs(intrinsicOr(text)),
  PerExecutionEnvironmentMaxConcurrency: may(intrinsicOr(integer)),
  ExecutionEnvironmentMemoryGiBPerVCpu: may(intrinsicOr(integer, float)),
});

/** @throws InvalidResource with all that is wrong with the map */
export function capacityProviderConfig(logicalId: string, config: JsonObject): JsonObject {
  const problems: Problem[] = [];
  const { Arn, ...rest } = MODEL(config, [], problems) as JsonObject;
  if (problems.length > 0) {
    const message = libraryMessage('CapacityProviderConfig', problems);
    throw new InvalidResource(logicalId, `Invalid CapacityProviderConfig: ${message}`);
  }
  return { LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: Arn as Json, ...rest } };
}
