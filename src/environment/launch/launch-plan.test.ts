/** The variables of the processes, as recorded in a real environment of provided.al2023 and as documented. */
import { describe, expect, it } from 'vitest';
import type { FunctionVersion } from '../../functions/function.ts';
import type { EnvironmentContext } from './launch-plan.ts';
import { planExtensionVariables, planRuntimeVariables } from './launch-plan.ts';

const context: EnvironmentContext = {
  id: 'id',
  slot: 0,
  host: '127.0.0.2',
  runtimeApi: '127.0.0.2:9001',
  logStream: '2026/01/01/[$LATEST]0123',
  initializationType: 'on-demand',
  codeDirectory: '/code',
  optDirectory: undefined,
};
const credentials = { accessKeyId: 'ASIA', secretAccessKey: 'secret', sessionToken: 'token' };

function versionOf(environment = {}, runtime = 'provided.al2023', logging: object = { format: 'Text' }) {
  return {
    scope: { region: 'us-east-1', account: '123456789012' },
    name: 'hello',
    version: '$LATEST',
    configuration: {
      runtime,
      handler: 'h',
      memoryMib: 1024,
      environment,
      logging: { logGroup: '/aws/lambda/hello', ...logging },
    },
  } as unknown as FunctionVersion;
}

describe('the variables of a runtime', () => {
  it('are exactly those recorded on AWS', () => {
    expect(planRuntimeVariables(versionOf({ OWN: 'x' }), context, credentials)).toEqual({
      _HANDLER: 'h',
      LAMBDA_TASK_ROOT: '/var/task',
      LAMBDA_RUNTIME_DIR: '/var/runtime',
      AWS_LAMBDA_RUNTIME_API: '127.0.0.2:9001',
      AWS_LAMBDA_FUNCTION_NAME: 'hello',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1024',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/hello',
      AWS_LAMBDA_LOG_STREAM_NAME: '2026/01/01/[$LATEST]0123',
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'ASIA',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
      AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1:2000',
      _AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1',
      _AWS_XRAY_DAEMON_PORT: '2000',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
      LD_LIBRARY_PATH: '/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib',
      OWN: 'x',
    });
  });

  it('lack /var/lang on provided.al2', () => {
    const { PATH, LD_LIBRARY_PATH } = planRuntimeVariables(versionOf({}, 'provided.al2'), context, credentials);
    expect(PATH).toBe('/usr/local/bin:/usr/bin/:/bin:/opt/bin');
    expect(LD_LIBRARY_PATH).toBe('/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib');
  });

  it('include the log format and level only when the format is JSON', () => {
    const json = planRuntimeVariables(
      versionOf({}, undefined, { format: 'JSON', applicationLogLevel: 'WARN' }),
      context,
      credentials,
    );
    expect(json).toMatchObject({ AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'WARN' });
  });

  it('can be replaced by the function’s own unless Lambda reserves them', () => {
    const own = {
      LANG: 'C',
      PATH: '/opt/mine',
      LD_LIBRARY_PATH: '/opt/lib',
      TZ: 'Europe/Berlin',
      AWS_XRAY_CONTEXT_MISSING: 'RUNTIME_ERROR',
      AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:2000',
      AWS_LAMBDA_LOG_FORMAT: 'Text',
      AWS_LAMBDA_LOG_LEVEL: 'DEBUG',
      AWS_LAMBDA_EXEC_WRAPPER: '/opt/wrapper',
    };
    const version = versionOf(own, undefined, { format: 'JSON', applicationLogLevel: 'WARN' });
    expect(planRuntimeVariables(version, context, credentials)).toMatchObject(own);
  });

  it('cannot be replaced when reserved, and function variables that start with an underscore are dropped', () => {
    const version = versionOf({ AWS_REGION: 'x', LAMBDA_TASK_ROOT: '/x', _HANDLER: 'x', _OWN: 'x' });
    const variables = planRuntimeVariables(version, context, credentials);
    expect(variables).toMatchObject({ AWS_REGION: 'us-east-1', LAMBDA_TASK_ROOT: '/var/task', _HANDLER: 'h' });
    expect(variables).not.toHaveProperty('_OWN');
  });
});

describe('the variables of an external extension', () => {
  it('are the function’s own, the credentials and the platform’s, without those of the runtime', () => {
    const variables = planExtensionVariables(versionOf({ OWN: 'x', AWS_EXECUTION_ENV: 'x' }), context, credentials);
    expect(Object.keys(variables).sort()).toEqual([
      'AWS_ACCESS_KEY_ID',
      'AWS_DEFAULT_REGION',
      'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
      'AWS_LAMBDA_FUNCTION_NAME',
      'AWS_LAMBDA_FUNCTION_VERSION',
      'AWS_LAMBDA_INITIALIZATION_TYPE',
      'AWS_LAMBDA_RUNTIME_API',
      'AWS_REGION',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
      'LANG',
      'LD_LIBRARY_PATH',
      'OWN',
      'PATH',
      'TZ',
    ]);
  });
});
