/** Application Load Balancers: AWS's SDK, resource providers, and real requests to a real function through the gateways. */
import * as sdk from '@aws-sdk/client-elastic-load-balancing-v2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOAD_BALANCER_PROVIDERS } from '../../src/stacks/providers/elasticloadbalancingv2/load-balancers.ts';
import type { Properties } from '../../src/stacks/providers/provider.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { requestHost } from '../support/host-request.ts';
import { providerContext, providerOf } from '../support/provider-context.ts';
import { TEST_CREDENTIALS } from '../support/running-apis.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:wrap';

let service: RunningService;
let client: sdk.ElasticLoadBalancingV2Client;

beforeAll(async () => {
  service = await startService();
  client = new sdk.ElasticLoadBalancingV2Client({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: TEST_CREDENTIALS,
    maxAttempts: 1,
  });
  const wrap = `BODY=$(printf '%s' "$EVENT" | base64 -w0)
    respond '{"statusCode":200,"multiValueHeaders":{},"body":"'"$BODY"'"}'`;
  await service.createFunction('wrap', { bootstrap: shellRuntime(wrap) });
}, 60_000);
afterAll(async () => {
  client.destroy();
  await service.close();
});

const request = (host: string, path: string, options: Parameters<typeof requestHost>[3] = {}) =>
  requestHost(service.lamella.http.url, host, path, options);
const eventOf = ({ text }: { readonly text: string }) => JSON.parse(Buffer.from(text, 'base64').toString());
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: Error) => ({ name: error.name, message: error.message }),
  );
const make = async (type: string, properties: Properties) => {
  const context = providerContext({ elasticloadbalancing: { client: client as never, sdk } }, type);
  const provider = providerOf(LOAD_BALANCER_PROVIDERS, `AWS::ElasticLoadBalancingV2::${type}`);
  return { ...(await provider.create(properties, context)), properties, provider, context };
};
type Made = Awaited<ReturnType<typeof make>>;
const remove = ({ provider, context, ...existing }: Made) => provider.delete(existing, context);

describe('a load balancer of a template', () => {
  it('sends requests to functions by its rules, changes in place, and is deleted', async () => {
    const group = await make('TargetGroup', {
      Name: 'functions',
      TargetType: 'lambda',
      Targets: [{ Id: FUNCTION }],
      TargetGroupAttributes: [{ Key: 'lambda.multi_value_headers.enabled', Value: true }],
    });
    const TargetGroupArn = group.physicalId;
    expect(group.attributes).toMatchObject({ TargetGroupName: 'functions' });
    expect(group.attributes.TargetGroupFullName).toMatch(/^targetgroup\/functions\/[0-9a-f]{16}$/);
    const balancer = await make('LoadBalancer', { Name: 'Shop', Subnets: ['subnet-1', 'subnet-2'] });
    const host = String(balancer.attributes.DNSName);
    expect(host).toMatch(/^shop-\d+\.us-east-1\.elb\.localhost$/);
    expect(balancer.attributes.LoadBalancerFullName).toMatch(/^app\/Shop\/[0-9a-f]{16}$/);
    const listener = await make('Listener', {
      LoadBalancerArn: balancer.physicalId,
      Port: '80',
      Protocol: 'HTTP',
      DefaultActions: [
        { Type: 'fixed-response', FixedResponseConfig: { StatusCode: 404, MessageBody: 'nothing here' } },
      ],
    });
    expect(await request(host, '/other')).toMatchObject({ status: 404, text: 'nothing here' });
    const rule = await make('ListenerRule', {
      ListenerArn: listener.physicalId,
      Priority: 10,
      Conditions: [
        { Field: 'path-pattern', Values: ['/api/*', '/v1/*'] },
        { Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['GET', 'POST'] } },
      ],
      Actions: [{ Type: 'forward', TargetGroupArn }],
    });
    expect(eventOf(await request(host, '/v1/items?a=1&a=2', { method: 'POST' }))).toMatchObject({
      requestContext: { elb: { targetGroupArn: TargetGroupArn } },
      httpMethod: 'POST',
      path: '/v1/items',
      multiValueQueryStringParameters: { a: ['1', '2'] },
    });
    expect((await request(host, '/v1/items', { method: 'DELETE' })).status).toBe(404);
    // A template can have the DNS name in an output.
    expect((await request(host.replace('localhost', 'amazonaws.com'), '/api/x')).status).toBe(200);
    expect(await refusal(client.send(new sdk.DeleteTargetGroupCommand({ TargetGroupArn })))).toMatchObject({
      name: 'ResourceInUseException',
    });

    const changed = { ...listener.properties, DefaultActions: [{ Type: 'forward', TargetGroupArn }] };
    await listener.provider.update?.(listener, changed, listener.context);
    expect((await request(host, '/other')).status).toBe(200);
    await group.provider.update?.(group, { ...group.properties, Targets: [] }, group.context);
    expect((await request(host, '/other')).status).toBe(503);

    for (const made of [rule, listener, balancer, group, balancer]) await remove(made);
    expect((await request(host, '/other')).status).toBe(404);
    expect((await client.send(new sdk.DescribeLoadBalancersCommand({}))).LoadBalancers).toEqual([]);
  });

  it('refuses what Lamella does not do, by its name', async () => {
    const name = { Name: 'refused' };
    expect(await refusal(make('TargetGroup', { ...name, TargetType: 'ip', Port: 80, Protocol: 'HTTP' }))).toMatchObject(
      {
        message: 'Lamella does not support target groups with the target type ip: use lambda.',
      },
    );
    expect(await refusal(make('LoadBalancer', { ...name, Type: 'network' }))).toMatchObject({
      message: 'Lamella does not support load balancers of the type network.',
    });
    const balancer = await make('LoadBalancer', name);
    const redirect = [{ Type: 'redirect', RedirectConfig: { StatusCode: 'HTTP_301', Protocol: 'HTTPS' } }];
    const LoadBalancerArn = balancer.physicalId;
    expect(
      await refusal(make('Listener', { LoadBalancerArn, Port: 80, Protocol: 'HTTP', DefaultActions: redirect })),
    ).toMatchObject({
      message: 'Lamella does not support actions of the type redirect: use forward or fixed-response.',
    });
  });
});

describe('the management API of load balancers', () => {
  it('describes load balancers, listeners, rules, target groups, health and tags, and names what is missing', async () => {
    const { LoadBalancers: [balancer] = [] } = await client.send(
      new sdk.CreateLoadBalancerCommand({ Name: 'described', Tags: [{ Key: 'team', Value: 'shop' }] }),
    );
    expect(balancer).toMatchObject({ LoadBalancerName: 'described', State: { Code: 'active' }, Type: 'application' });
    const { TargetGroups: [group] = [] } = await client.send(
      new sdk.CreateTargetGroupCommand({ Name: 'described', TargetType: 'lambda' }),
    );
    const { TargetGroupArn, TargetGroupName } = group ?? {};
    expect(TargetGroupName).toBe('described');
    await client.send(new sdk.RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: FUNCTION }] }));
    const { Listeners: [listener] = [] } = await client.send(
      new sdk.CreateListenerCommand({
        LoadBalancerArn: balancer?.LoadBalancerArn,
        Port: 8080,
        Protocol: 'HTTP',
        DefaultActions: [{ Type: 'forward', TargetGroupArn }],
      }),
    );
    const { Rules = [] } = await client.send(new sdk.DescribeRulesCommand({ ListenerArn: listener?.ListenerArn }));
    expect(Rules).toMatchObject([{ IsDefault: true, Priority: 'default', Actions: [{ Type: 'forward' }] }]);
    const health = await client.send(new sdk.DescribeTargetHealthCommand({ TargetGroupArn }));
    expect(health.TargetHealthDescriptions).toMatchObject([{ Target: { Id: FUNCTION } }]);
    const groups = await client.send(new sdk.DescribeTargetGroupsCommand({ Names: ['described'] }));
    expect(groups.TargetGroups).toMatchObject([
      { LoadBalancerArns: [balancer?.LoadBalancerArn], TargetType: 'lambda' },
    ]);
    const tags = await client.send(new sdk.DescribeTagsCommand({ ResourceArns: [balancer?.LoadBalancerArn ?? ''] }));
    expect(tags.TagDescriptions).toMatchObject([{ Tags: [{ Key: 'team', Value: 'shop' }] }]);
    expect((await refusal(client.send(new sdk.DescribeLoadBalancersCommand({ Names: ['absent'] })))).name).toBe(
      'LoadBalancerNotFoundException',
    );
  });
});
