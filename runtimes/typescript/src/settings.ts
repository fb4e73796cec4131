/** What the runtime is told by its environment, read once. */

export type Settings = {
  /** `host:port` */
  readonly runtimeApi: string;
  readonly handler: string;
  readonly taskRoot: string;
  readonly runtimeFolder: string;
  readonly isJsonLog: boolean;
  /** A name of `LEVELS`, or nothing for all. */
  readonly logLevel: string | undefined;
  /**
   * Of which generation of AWS's managed Node.js runtime this one takes the manners: from 24 on handlers have no
   * callback. In a layer of its own it offers what each of them does.
   */
  readonly manners: 'own' | 'managed' | 'managed-without-callbacks';
  /** AWS's switch to keep `awslambda` out of the globals. */
  readonly hasGlobal: boolean;
};

export function readSettings(variables: NodeJS.ProcessEnv): Settings {
  const managed = /^AWS_Lambda_nodejs(\d+)\.x$/.exec(variables.AWS_EXECUTION_ENV ?? '')?.[1];
  return {
    runtimeApi: variables.AWS_LAMBDA_RUNTIME_API ?? '',
    handler: variables._HANDLER ?? '',
    taskRoot: variables.LAMBDA_TASK_ROOT ?? '/var/task',
    runtimeFolder: variables.LAMBDA_RUNTIME_DIR ?? '/var/runtime',
    isJsonLog: variables.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON',
    logLevel: variables.AWS_LAMBDA_LOG_LEVEL?.toUpperCase(),
    manners: managed === undefined ? 'own' : Number(managed) >= 24 ? 'managed-without-callbacks' : 'managed',
    hasGlobal: !['1', 'true'].includes(variables.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA ?? ''),
  };
}
