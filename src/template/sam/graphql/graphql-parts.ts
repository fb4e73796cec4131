/** What the parts of a GraphQL API share. */
import type { Json, JsonObject } from '../../tree.ts';
import type { SamContext } from '../context.ts';
import { type CfnResource, cfnResource } from '../resources.ts';

export interface GraphqlApi {
  readonly logicalId: string;
  readonly dependsOn: Json | undefined;
  readonly attributes: JsonObject;
  /** `Fn::GetAtt` of its ApiId. */
  readonly apiId: JsonObject;
  readonly context: SamContext;
}

/** A resource with the API's dependencies and attributes. */
export function partOf(
  api: GraphqlApi,
  type: string,
  suffix: string,
  properties: Record<string, Json | undefined>,
): CfnResource {
  const made = cfnResource(type, `${api.logicalId}${suffix}`, api.attributes, properties);
  made.dependsOn = api.dependsOn;
  return made;
}
