/** Opens stacks on the services of a running service, and creates CloudFormation's API. */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Options } from '../options.ts';
import type { Scope } from '../protocol/names.ts';
import { createCallbackHandler } from '../services/cloudformation/callbacks.ts';
import { createCloudFormationApi } from '../services/cloudformation/cloudformation-api.ts';
import { readUrl } from '../services/cloudformation/template-source.ts';
import { type OpenStacks, openStacks } from '../stacks/open-stacks.ts';
import { signalTarget } from '../stacks/signals.ts';
import type { Database } from '../storage/database.ts';
import type { ServiceApi, ServiceHandler } from '../wire/api-call.ts';
import type { ServiceCall } from '../wire/service-call.ts';
import type { Services } from './services.ts';

export type StacksOptions = {
  readonly options: Pick<Options, 'unsupported' | 'strict' | 'network'>;
  readonly database: Database;
  readonly services: Pick<Services, 's3' | 'iam'>;
  /** Performs operations of all services. */
  readonly call: ServiceCall;
  /** The service's URL for functions. */
  readonly baseUrl: () => string;
  readonly clock: Clock;
  readonly log: Log;
};

export type OpenCloudFormation = Pick<OpenStacks, 'resume' | 'close'> & {
  readonly api: ServiceApi;
  readonly callbacks: ServiceHandler;
};

const ISOLATED =
  'Custom resources need functions that can reach the service. Start Lamella without --network isolated.';

export function openCloudFormation(given: StacksOptions): OpenCloudFormation {
  const { options, database, services, call, baseUrl, clock, log } = given;
  const { readObject } = services.s3;
  const { stacks, changeSets, store, signals, resume, close } = openStacks({
    database,
    call,
    readObject,
    readTemplate: (url) => readUrl(readObject, url, baseUrl()),
    baseUrl,
    unreachable: options.network === 'isolated' ? ISOLATED : undefined,
    refusesRecorded: options.unsupported === 'fail' || options.strict.includes('resources'),
    clock,
    log,
  });
  // A role can be assumed when it exists; CDK names one before every operation.
  const roleExists = (scope: Scope, arn: string) => services.iam.roleExists(scope, arn);
  const api = createCloudFormationApi({
    stacks,
    changeSets,
    store,
    readObject,
    roleExists,
    signalResource: (stackId, logicalId, signal) => signals.put(signalTarget(stackId, logicalId), signal),
    log,
  });
  return { api, callbacks: createCallbackHandler(signals), resume, close };
}
