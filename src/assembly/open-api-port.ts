/** Opens the API port: Lambda's API, the other AWS services and the admin API behind one listener. */

import { createAdminApi } from '../admin-api/admin-api.ts';
import { asyncRoutes } from '../admin-api/async.ts';
import { clockRoutes } from '../admin-api/clock.ts';
import { environmentRoutes } from '../admin-api/environments.ts';
import { gatewayRoutes } from '../admin-api/gateways.ts';
import { resetRoutes } from '../admin-api/reset.ts';
import { eventBusRoutes, type ScheduleAdmin, scheduleRoutes } from '../admin-api/schedules.ts';
import { type ServiceUrls, serviceRoutes } from '../admin-api/service.ts';
import { type ApiServices, createApiHandler } from '../api-port/api-port.ts';
import { createAuthenticator } from '../api-port/authentication.ts';
import { createPlainInvocations, type PlainInvocationOptions } from '../api-port/plain-invocations.ts';
import type { AdjustableClock, Clock } from '../clock.ts';
import type { Listen } from '../http/lasting-port.ts';
import type { Listener } from '../http/listener.ts';
import type { Log } from '../log.ts';
import type { Options } from '../options.ts';
import type { ServiceHandler } from '../wire/api-call.ts';
import type { AccessKey } from '../wire/sigv4.ts';
import type { Background } from './background.ts';
import type { ClientLimits } from './client-limits.ts';
import type { Environments } from './environments.ts';
import type { OpenFunctions } from './functions.ts';
import type { HttpGateways } from './open-gateways.ts';
import type { Services } from './services.ts';

export type ApiPortOptions = {
  readonly options: Pick<Options, 'host' | 'port' | 'allowHost' | 'region' | 'accountId' | 'enforceAuth'>;
  readonly opened: Pick<OpenFunctions, 'settings'>;
  readonly services: Pick<Services, 'eventBus'>;
  /** The services of the API port. */
  readonly handlers: ApiServices;
  readonly callbacks: ServiceHandler;
  /** Lambda's Invoke. */
  readonly invoke: PlainInvocationOptions['invoke'];
  readonly environments: Pick<Environments, 'accounts'>;
  readonly background: Pick<Background, 'asyncInvocations'>;
  readonly gateways: Pick<HttpGateways, 'admin'>;
  readonly schedules: ScheduleAdmin;
  /** The URLs of the service, once it accepts connections. */
  readonly urls: () => ServiceUrls;
  /** The secret of an access key; undefined for an unknown key. */
  readonly keyOf: (accessKeyId: string) => AccessKey | undefined;
  readonly listen: Listen;
  /** Removes everything. @throws OperatorError */
  readonly reset: () => Promise<void>;
  readonly clock: Clock;
  /** The clock that the admin API shows and advances. */
  readonly backgroundClock: AdjustableClock;
  readonly log: Log;
} & ClientLimits;

/** Listens; the caller drains and closes it. @throws OperatorError 'port-in-use' or 'cannot-listen' */
export function openApiPort(given: ApiPortOptions): Promise<Listener> {
  const { options, opened, services, environments, background, gateways, clock, log } = given;
  const admin = createAdminApi([
    ...clockRoutes(given.backgroundClock),
    ...gatewayRoutes(gateways.admin),
    ...asyncRoutes(background.asyncInvocations.pending),
    ...scheduleRoutes(given.schedules),
    ...eventBusRoutes(services.eventBus),
    ...environmentRoutes(environments.accounts),
    ...resetRoutes(given.reset),
    ...serviceRoutes(given.urls, opened.settings.directory.everywhere),
  ]);
  const { keyOf } = given;
  const callers = {
    authenticator: options.enforceAuth ? createAuthenticator({ keyOf, clock }) : undefined,
    defaultRegion: options.region,
    accountId: options.accountId,
    boundHost: options.host,
    allowedHosts: options.allowHost,
  };
  return given.listen({
    host: options.host,
    port: options.port,
    limits: given.limits,
    bodies: given.bodies,
    plain: createPlainInvocations({ ...callers, invoke: given.invoke }),
    handler: createApiHandler({ ...given.handlers, ...callers, callbacks: given.callbacks, admin, log }),
    onFailure: (failure) => log.error({ err: failure }, 'request failed'),
  });
}
