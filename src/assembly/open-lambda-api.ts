/** Creates the Lambda API on the parts of a running service. */
import type { Clock } from '../clock.ts';
import { findQueueProblem } from '../event-sources/sqs/queue-problem.ts';
import { createLambdaApi, type LambdaApi } from '../lambda-api/server.ts';
import type { Options } from '../options.ts';
import type { Background } from './background.ts';
import type { Environments } from './environments.ts';
import type { OpenFunctions } from './functions.ts';
import type { HttpGateways } from './open-gateways.ts';
import type { Services } from './services.ts';

export type LambdaApiOptions = {
  readonly options: Pick<Options, 'sqsEndpoint'>;
  readonly opened: OpenFunctions;
  readonly services: Pick<Services, 's3' | 'sqsQueues'>;
  readonly environments: Pick<Environments, 'invoke' | 'provisioner'>;
  readonly background: Pick<Background, 'asyncInvocations'>;
  readonly gateways: Pick<HttpGateways, 'port'>;
  readonly clock: Clock;
};

export function openLambdaApi(given: LambdaApiOptions): LambdaApi {
  const { options, opened, services, environments, background, gateways, clock } = given;
  return createLambdaApi({
    ...opened,
    ...environments,
    acceptEvent: background.asyncInvocations.accept,
    renderFunctionUrl: (id, { region }) => `http://${id}.lambda-url.${region}.localhost:${gateways.port}/`,
    readObject: services.s3.readObject,
    findSourceProblem: (arn, timeoutSeconds) =>
      options.sqsEndpoint === undefined ? findQueueProblem(services.sqsQueues, arn, timeoutSeconds) : undefined,
    clock,
  });
}
