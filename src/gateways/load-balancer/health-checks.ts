/**
 * Health checks of load balancers: invokes each target at an interval with the event of a health check, and counts
 * passes and failures. As on AWS, a target group with one target still sends requests to it when it is unhealthy.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { Closeable } from '../../lifetime.ts';
import type { GatewayConfig, HealthCheck, LoadBalancerConfig } from '../gateway-config.ts';
import type { Gateways } from '../gateways.ts';
import type { RouteFunction } from '../route-function.ts';
import { isFunction } from '../route-target.ts';
import { parseTargetResponse, renderHealthCheckEvent, type TargetGroup } from './load-balancer.ts';
import { targetGroupArn } from './target-group.ts';

export type TargetHealth = {
  readonly function: string;
  /** As in DescribeTargetHealth. */
  readonly state: 'initial' | 'healthy' | 'unhealthy';
  /** Why it is unhealthy. */
  readonly reason: string | undefined;
};

export type HealthChecks = Closeable & {
  /** The health of a gateway's targets. Empty for a gateway without a health check. */
  of(gateway: string): readonly TargetHealth[];
};

export type HealthChecksOptions = {
  readonly gateways: Pick<Gateways, 'all' | 'onChange'>;
  /** Invokes a function. Resolves with undefined if it failed, was throttled or does not exist. */
  readonly invoke: (target: RouteFunction, event: object) => Promise<Buffer | undefined>;
  readonly accountId: string;
  readonly defaultRegion: string;
  readonly clock: Clock;
};

type Watch = {
  readonly config: LoadBalancerConfig;
  readonly targets: readonly {
    readonly target: RouteFunction;
    health: TargetHealth;
    passes: number;
    failures: number;
  }[];
  cancel: Cancel;
};

export function createHealthChecks({ gateways, invoke, clock, ...defaults }: HealthChecksOptions): HealthChecks {
  const watches = new Map<string, Watch>();
  let isClosed = false;

  async function check(watch: Watch, settings: HealthCheck): Promise<void> {
    await Promise.all(
      watch.targets.map(async (entry) => {
        const group = {
          targetGroupArn: targetGroupArn(watch.config.name, entry.target, defaults),
          hasMultiValueHeaders: watch.config.hasMultiValueHeaders,
        };
        const response = await withTimeout(
          clock,
          settings.timeoutSeconds * 1000,
          // A fault of this machine fails the check, and must not end the checks.
          invoke(entry.target, renderHealthCheckEvent(settings.path, group)).catch(() => undefined),
        );
        const reason = judge(response, group, settings.matcher);
        entry.passes = reason === undefined ? entry.passes + 1 : 0;
        entry.failures = reason === undefined ? 0 : entry.failures + 1;
        entry.health = next(entry, reason, settings);
      }),
    );
    if (isClosed || watches.get(watch.config.name) !== watch) return;
    watch.cancel = clock.after(settings.intervalSeconds * 1000, () => void check(watch, settings));
  }

  function follow(): void {
    const all = new Map(gateways.all().map((config): [string, GatewayConfig] => [config.name, config]));
    for (const [name, watch] of watches) {
      if (all.get(name) === watch.config) continue;
      watch.cancel();
      watches.delete(name);
    }
    for (const config of all.values()) {
      if (config.kind !== 'load-balancer' || config.healthCheck === undefined || watches.has(config.name)) continue;
      const functions = new Map(
        config.rules.flatMap(({ target }) => (isFunction(target) ? [[target.text, target] as const] : [])),
      );
      const targets = [...functions.values()].map((target) => ({
        target,
        health: { function: target.text, state: 'initial', reason: undefined } as TargetHealth,
        passes: 0,
        failures: 0,
      }));
      const watch: Watch = { config, targets, cancel: () => undefined };
      watches.set(config.name, watch);
      void check(watch, config.healthCheck);
    }
  }

  follow();
  const stopFollowing = gateways.onChange(follow);
  return {
    of: (gateway) => watches.get(gateway)?.targets.map(({ health }) => health) ?? [],
    close() {
      isClosed = true;
      stopFollowing();
      for (const watch of watches.values()) watch.cancel();
      watches.clear();
    },
  };
}

/** Why a response is unhealthy; undefined for a healthy one. */
function judge(response: Buffer | 'timeout' | undefined, group: TargetGroup, matcher: string): string | undefined {
  if (response === 'timeout') return 'Request timed out';
  if (response === undefined) return 'Health checks failed: the function failed or could not be invoked';
  try {
    const { status } = parseTargetResponse(response, group);
    return matches(matcher, status) ? undefined : `Health checks failed with these codes: [${status}]`;
  } catch (failure) {
    return `Health checks failed: invalid function response: ${(failure as Error).message}`;
  }
}

/** The first check decides alone. After it, the state changes once the threshold is reached. */
function next(
  { health, passes, failures }: Watch['targets'][number],
  reason: string | undefined,
  { healthyThreshold, unhealthyThreshold }: HealthCheck,
): TargetHealth {
  const healthy = { function: health.function, state: 'healthy', reason: undefined } as const;
  const unhealthy = { function: health.function, state: 'unhealthy', reason } as const;
  switch (health.state) {
    case 'initial':
      return reason === undefined ? healthy : unhealthy;
    case 'healthy':
      return failures >= unhealthyThreshold ? unhealthy : health;
    case 'unhealthy':
      return passes >= healthyThreshold ? healthy : reason === undefined ? health : unhealthy;
  }
}

function matches(matcher: string, status: number): boolean {
  return matcher.split(',').some((part) => {
    const [from, to = from] = part.split('-').map(Number);
    return from !== undefined && to !== undefined && status >= from && status <= to;
  });
}

async function withTimeout(
  clock: Clock,
  ms: number,
  work: Promise<Buffer | undefined>,
): Promise<Buffer | 'timeout' | undefined> {
  let cancel: Cancel = () => undefined;
  const timeout = new Promise<'timeout'>((resolve) => {
    cancel = clock.after(ms, () => resolve('timeout'));
  });
  return Promise.race([work, timeout]).finally(() => cancel());
}
