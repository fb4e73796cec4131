/**
 * The current invocation, for loggers and tracers: `awslambda.InvokeStore`, with the interface of AWS's package
 * @aws/lambda-invoke-store, which uses the runtime's own store if there is one. There is one invocation at a time, so one
 * variable holds it.
 */

const REQUEST_ID = Symbol.for('_AWS_LAMBDA_REQUEST_ID');
const TRACE_ID = Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID');
const TENANT_ID = Symbol.for('_AWS_LAMBDA_TENANT_ID');
const PROTECTED: readonly unknown[] = [REQUEST_ID, TRACE_ID, TENANT_ID];

type Store = Record<string | symbol, unknown>;

export type InvokeStore = {
  getContext(): Store | undefined;
  hasContext(): boolean;
  get(key: string | symbol): unknown;
  set(key: string | symbol, value: unknown): void;
  run<T>(context: Store, work: () => T): T;
  getRequestId(): string;
  getXRayTraceId(): string | undefined;
  getTenantId(): string | undefined;
};

export type CurrentInvocation = {
  readonly store: InvokeStore;
  readonly requestId: () => string | undefined;
  readonly tenantId: () => string | undefined;
  begin(requestId: string, traceId: string | undefined, tenantId: string | undefined): void;
};

export function createCurrentInvocation(): CurrentInvocation {
  let context: Store | undefined;
  const get = (key: string | symbol) => context?.[key];
  const requestId = () => get(REQUEST_ID) as string | undefined;
  const tenantId = () => get(TENANT_ID) as string | undefined;
  return {
    requestId,
    tenantId,
    begin(id, trace, tenant) {
      context = { [REQUEST_ID]: id, [TRACE_ID]: trace, [TENANT_ID]: tenant };
    },
    store: {
      getContext: () => context,
      hasContext: () => context !== undefined,
      get,
      set(key, value) {
        if (PROTECTED.includes(key)) throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
        context ??= {};
        context[key] = value;
      },
      run(other, work) {
        context = other;
        return work();
      },
      getRequestId: () => requestId() ?? '-',
      getXRayTraceId: () => get(TRACE_ID) as string | undefined,
      getTenantId: tenantId,
    },
  };
}
