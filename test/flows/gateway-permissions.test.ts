/** Resource policies at the gateways, with the AWS SDK: refused with --strict policies, otherwise a warning. */
import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionUrlConfigCommand,
  PublishVersionCommand,
  RemovePermissionCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionUrl } from '../../src/functions/settings/url-settings.ts';
import { createInvokePermissions } from '../../src/gateways/permissions/invoke-permissions.ts';
import type { Log } from '../../src/log.ts';
import type { FunctionName } from '../../src/protocol/names.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const FORBIDDEN = {
  Message:
    'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html',
};
const ACCOUNT = '123456789012';

let service: RunningService;
beforeAll(async () => {
  service = await startService({
    strict: 'policies',
    logLevel: 'silent',
    routes: ['GET /http/{id} -> routed', 'rest GET /rest -> routed', 'alb /alb -> routed'],
  });
  for (const name of ['public', 'private', 'aliased', 'routed']) {
    await service.createFunction(name, { bootstrap: shellRuntime(`respond '{"statusCode":200,"body":"ok"}'`) });
  }
}, 60_000);
afterAll(() => service.close());

async function createUrl(FunctionName: string, AuthType: 'NONE' | 'AWS_IAM', Qualifier?: string): Promise<string> {
  const created = await service.client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName, AuthType, ...(Qualifier && { Qualifier }) }),
  );
  return `${service.lamella.http.url}/_lamella/url/${new URL(created.FunctionUrl ?? '').hostname.split('.')[0]}/`;
}

async function get(url: string): Promise<readonly [number, unknown]> {
  const response = await fetch(url);
  const text = await response.text();
  return [response.status, text.startsWith('{') ? JSON.parse(text) : text];
}

type Permission = Partial<ConstructorParameters<typeof AddPermissionCommand>[0]>;
async function permit(FunctionName: string, StatementId: string, permission: Permission): Promise<void> {
  await service.client.send(
    new AddPermissionCommand({
      FunctionName,
      StatementId,
      Action: 'lambda:InvokeFunction',
      Principal: '*',
      ...permission,
    }),
  );
}
const URL_ACTION = { Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' } as const;

describe('with --strict policies', () => {
  it('a function URL is 403 until the policy allows lambda:InvokeFunctionUrl and lambda:InvokeFunction', async () => {
    const url = await createUrl('public', 'NONE');
    expect(await get(url)).toEqual([403, FORBIDDEN]);
    await permit('public', 'url', URL_ACTION);
    expect(await get(url)).toEqual([403, FORBIDDEN]);
    await permit('public', 'function', { InvokedViaFunctionUrl: true });
    expect(await get(url)).toEqual([200, 'ok']);
    await service.client.send(new RemovePermissionCommand({ FunctionName: 'public', StatementId: 'url' }));
    expect(await get(url)).toEqual([403, FORBIDDEN]);
    await permit('public', 'url', { ...URL_ACTION, FunctionUrlAuthType: 'AWS_IAM' });
    expect(await get(url)).toEqual([403, FORBIDDEN]);
    await permit('public', 'organization', { ...URL_ACTION, PrincipalOrgID: 'o-abc1234567' });
    expect(await get(url)).toEqual([403, FORBIDDEN]);
  });

  it('the policy of an alias counts for the URL of the alias, not the policy of the function', async () => {
    await service.client.send(new PublishVersionCommand({ FunctionName: 'aliased' }));
    await service.client.send(new CreateAliasCommand({ FunctionName: 'aliased', Name: 'live', FunctionVersion: '1' }));
    const url = await createUrl('aliased', 'NONE', 'live');
    await permit('aliased', 'url', URL_ACTION);
    await permit('aliased', 'function', { InvokedViaFunctionUrl: true });
    expect((await get(url))[0]).toBe(403);
    await permit('aliased', 'url', { ...URL_ACTION, Qualifier: 'live' });
    await permit('aliased', 'function', { InvokedViaFunctionUrl: true, Qualifier: 'live' });
    expect(await get(url)).toEqual([200, 'ok']);
  });

  it('an API is 500 and a load balancer 502 until the policy allows the service', async () => {
    const base = service.lamella.http.url;
    const refused = [500, { message: 'Internal Server Error' }];
    expect(await get(`${base}/http/1`)).toEqual(refused);
    expect(await get(`${base}/rest`)).toEqual([500, { message: 'Internal server error' }]);
    expect((await get(`${base}/alb`))[0]).toBe(502);
    const api = `arn:aws:execute-api:us-east-1:${ACCOUNT}`;
    await permit('routed', 'other', { Principal: 'apigateway.amazonaws.com', SourceArn: `${api}:http/*/POST/*` });
    expect(await get(`${base}/http/1`)).toEqual(refused);
    await permit('routed', 'http', { Principal: 'apigateway.amazonaws.com', SourceArn: `${api}:http/*/*/http/*` });
    expect(await get(`${base}/http/1`)).toEqual([200, 'ok']);
    expect((await get(`${base}/rest`))[0]).toBe(500);
    await permit('routed', 'rest', { Principal: 'apigateway.amazonaws.com', SourceArn: `${api}:rest/prod/GET/rest` });
    expect(await get(`${base}/rest`)).toEqual([200, 'ok']);
    await permit('routed', 'alb', { Principal: 'elasticloadbalancing.amazonaws.com' });
    expect(await get(`${base}/alb`)).toEqual([200, 'ok']);
  });

  it('an authorizer is 500 until its policy allows the API to invoke it', async () => {
    await service.createFunction('guard', {
      bootstrap: shellRuntime(
        `respond '{"principalId":"me","policyDocument":{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}'`,
      ),
    });
    service.lamella.http.put('guarded', {
      kind: 'rest-api',
      hosts: ['guarded.localhost'],
      authorizers: { tokens: { type: 'token', function: 'guard', identitySource: 'method.request.header.Host' } },
      routes: [{ route: 'GET /a', function: 'routed', authorizer: 'tokens' }],
    });
    const url = `${service.lamella.http.url}/_lamella/gateway/guarded/a`;
    const api = `arn:aws:execute-api:us-east-1:${ACCOUNT}:guarded`;
    await permit('routed', 'guarded', { Principal: 'apigateway.amazonaws.com', SourceArn: `${api}/*` });
    expect(await get(url)).toEqual([500, { message: null }]);
    await permit('guard', 'authorizer', {
      Principal: 'apigateway.amazonaws.com',
      SourceArn: `${api}/authorizers/tokens`,
    });
    expect(await get(url)).toEqual([200, 'ok']);
  });
});

describe('a caller of a URL with AWS_IAM', () => {
  const scope = { region: 'us-east-1', account: ACCOUNT };
  const invoked = { scope, name: 'private' as FunctionName, qualifier: undefined };
  const url = { authType: 'AWS_IAM', createdMs: Date.UTC(2026, 0, 1) } as FunctionUrl;
  const statement = (Sid: string, more: object) => ({
    Sid,
    Effect: 'Allow',
    Resource: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:private`,
    Principal: { AWS: 'arn:aws:iam::444455556666:root' },
    ...more,
  });
  const allows = (statements: readonly ReturnType<typeof statement>[], account: string, createdMs = url.createdMs) =>
    createInvokePermissions({
      policies: { find: () => ({ statements, revisionId: 'r' }) },
      isEnforced: true,
      log: { warn: () => undefined } as unknown as Log,
    }).allowsUrl(invoked, { ...url, createdMs }, { accountId: account, userArn: `arn:aws:iam::${account}:user/me` });
  const first = statement('a', { Action: 'lambda:InvokeFunctionUrl' });
  const second = statement('b', { Action: 'lambda:InvokeFunction' });

  it('of another account needs both permissions, or one for a URL from before October 2025', () => {
    expect(allows([], '444455556666')).toBe(false);
    expect(allows([first], '444455556666')).toBe(false);
    expect(allows([first, second], '444455556666')).toBe(true);
    expect(allows([first], '444455556666', Date.UTC(2025, 8, 30))).toBe(true);
  });

  it('of the same account needs none, unless a statement denies', () => {
    expect(allows([], ACCOUNT)).toBe(true);
    expect(allows([statement('c', { Effect: 'Deny', Principal: '*', Action: 'lambda:*' })], ACCOUNT)).toBe(false);
  });
});

describe('without --strict policies', () => {
  it('a request without a permission is answered, and the log has one warning with the commands', () => {
    const lines: string[] = [];
    const log = { warn: (_: object, line: string) => lines.push(line) } as unknown as Log;
    const permissions = createInvokePermissions({ policies: { find: () => undefined }, isEnforced: false, log });
    const invoked = {
      scope: { region: 'us-east-1', account: ACCOUNT },
      name: 'web' as FunctionName,
      qualifier: 'live',
    };
    const url = { authType: 'NONE', createdMs: Date.UTC(2026, 0, 1) } as FunctionUrl;
    expect([permissions.allowsUrl(invoked, url, undefined), permissions.allowsUrl(invoked, url, undefined)]).toEqual([
      true,
      true,
    ]);
    const add = 'aws lambda add-permission --function-name web --region us-east-1 --qualifier live';
    expect(lines).toEqual([
      'A request to the function URL works here, and is 403 on AWS: the resource policy of the function "web" does not allow it. Run: ' +
        `${add} --statement-id UrlPolicyInvokeURL --action lambda:InvokeFunctionUrl --principal "*" --function-url-auth-type NONE && ` +
        `${add} --statement-id UrlPolicyInvokeFunction --action lambda:InvokeFunction --principal "*" --invoked-via-function-url`,
    ]);
  });
});
