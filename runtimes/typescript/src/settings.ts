/** The runtime's settings, read once from environment variables. */

export type Settings = {
  /** `host:port` */
  readonly runtimeApi: string;
  readonly handler: string;
  readonly taskRoot: string;
  readonly runtimeDirectory: string;
  readonly isJsonLog: boolean;
  /** One of `LEVELS`. Undefined logs every level. */
  readonly logLevel: string | undefined;
  /**
   * The generation of AWS's managed Node.js runtime whose behavior applies. Node.js 24 and later have no callbacks. In its
   * own layer (`own`) the runtime supports the features of all generations.
   */
  readonly runtimeGeneration: 'own' | 'managed' | 'managed-without-callbacks';
  /** False if AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA keeps `awslambda` out of the globals. */
  readonly hasGlobal: boolean;
};

export function readSettings(variables: NodeJS.ProcessEnv): Settings {
  const managed = /^AWS_Lambda_nodejs(\d+)\.x$/.exec(variables.AWS_EXECUTION_ENV ?? '')?.[1];
  return {
    runtimeApi: variables.AWS_LAMBDA_RUNTIME_API ?? '',
    handler: variables._HANDLER ?? '',
    taskRoot: variables.LAMBDA_TASK_ROOT ?? '/var/task',
    runtimeDirectory: variables.LAMBDA_RUNTIME_DIR ?? '/var/runtime',
    isJsonLog: variables.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON',
    logLevel: variables.AWS_LAMBDA_LOG_LEVEL?.toUpperCase(),
    runtimeGeneration: managed === undefined ? 'own' : Number(managed) >= 24 ? 'managed-without-callbacks' : 'managed',
    hasGlobal: !['1', 'true'].includes(variables.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA ?? ''),
  };
}
