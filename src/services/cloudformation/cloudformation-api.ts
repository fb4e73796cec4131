/**
 * CloudFormation's API (query protocol): puts the handlers of stacks, change sets and templates together. What a stack
 * does is in `stacks/`.
 */
import type { Log } from '../../log.ts';
import {
  CLOUDFORMATION_NAMESPACE,
  CLOUDFORMATION_OPERATIONS,
  CLOUDFORMATION_REFUSED,
  CLOUDFORMATION_VERSION,
} from '../../protocol/cloudformation-operations.ts';
import type { ChangeSets } from '../../stacks/change-sets.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createQueryApi } from '../../wire/query-protocol.ts';
import { createChangeSetHandlers } from './change-set-handlers.ts';
import { createStackHandlers, type HandlerDependencies } from './stack-handlers.ts';
import { createTemplateHandlers } from './template-handlers.ts';

export type CloudFormationApiOptions = HandlerDependencies & { readonly changeSets: ChangeSets; readonly log: Log };

/** Creates the handler of CloudFormation's requests. */
export function createCloudFormationApi(options: CloudFormationApiOptions): ServiceApi {
  return createQueryApi({
    name: 'CloudFormation',
    version: CLOUDFORMATION_VERSION,
    namespace: CLOUDFORMATION_NAMESPACE,
    operations: CLOUDFORMATION_OPERATIONS,
    refused: CLOUDFORMATION_REFUSED,
    handlers: {
      ...createStackHandlers(options),
      ...createChangeSetHandlers(options),
      ...createTemplateHandlers(options),
    },
    log: options.log,
  });
}
