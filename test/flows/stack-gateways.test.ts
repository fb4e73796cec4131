/** Stacks with APIs and load balancers through CloudFormation's API: their outputs lead to running gateways. */
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type Stack,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { requestHost } from '../support/host-request.ts';
import { TEST_CREDENTIALS } from '../support/running-apis.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;
let cloudFormation: CloudFormationClient;

beforeAll(async () => {
  service = await startService();
  const reply = `respond '{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"hello"}'`;
  await service.createFunction('hello', { bootstrap: shellRuntime(reply) });
  cloudFormation = new CloudFormationClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: TEST_CREDENTIALS,
    maxAttempts: 1,
  });
}, 60_000);
afterAll(async () => {
  cloudFormation.destroy();
  await service.close();
});

/** Each response waits a while for the end of the operation: no pause is needed. */
async function settled(StackName: string): Promise<Stack> {
  for (;;) {
    const { Stacks: [stack] = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
    if (stack !== undefined && !stack.StackStatus?.endsWith('_IN_PROGRESS')) return stack;
  }
}
const failuresOf = async (StackName: string) => {
  const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName }));
  return StackEvents.filter(({ ResourceStatus }) => ResourceStatus?.endsWith('_FAILED')).map(
    ({ LogicalResourceId, ResourceStatusReason }) => `${LogicalResourceId}: ${ResourceStatusReason}`,
  );
};
const get = (url: string | undefined) => {
  const { hostname, pathname } = new URL(url ?? '');
  return requestHost(service.lamella.http.url, hostname, pathname);
};

/** `<Name>` stands for the reference that `Fn::Sub` writes with a dollar sign and braces. */
const sub = (text: string) => ({ 'Fn::Sub': text.replace(/<([\w:.]+)>/g, (_, name) => `$${'{'}${name}}`) });
const arn = sub('arn:aws:lambda:<AWS::Region>:<AWS::AccountId>:function:hello');
const uri = sub(
  'arn:aws:apigateway:<AWS::Region>:lambda:path/2015-03-31/functions/arn:aws:lambda:<AWS::Region>:<AWS::AccountId>:function:hello/invocations',
);
const of = (name: string) => ({ Ref: name });
const attribute = (name: string, member: string) => ({ 'Fn::GetAtt': [name, member] });

const template = (path: string) => ({
  Resources: {
    Rest: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'rest' } },
    Path: {
      Type: 'AWS::ApiGateway::Resource',
      Properties: { RestApiId: of('Rest'), ParentId: attribute('Rest', 'RootResourceId'), PathPart: 'hello' },
    },
    Method: {
      Type: 'AWS::ApiGateway::Method',
      Properties: {
        RestApiId: of('Rest'),
        ResourceId: of('Path'),
        HttpMethod: 'GET',
        AuthorizationType: 'NONE',
        Integration: { Type: 'AWS_PROXY', IntegrationHttpMethod: 'POST', Uri: uri, TimeoutInMillis: '9000' },
      },
    },
    Deployment: {
      Type: 'AWS::ApiGateway::Deployment',
      DependsOn: 'Method',
      Properties: { RestApiId: of('Rest'), StageName: 'dev' },
    },
    Http: {
      Type: 'AWS::ApiGatewayV2::Api',
      Properties: {
        Body: {
          openapi: '3.0.1',
          info: { title: 'http' },
          paths: {
            [path]: {
              get: {
                'x-amazon-apigateway-integration': { type: 'aws_proxy', uri, payloadFormatVersion: '2.0' },
              },
            },
          },
        },
      },
    },
    HttpStage: {
      Type: 'AWS::ApiGatewayV2::Stage',
      Properties: { ApiId: of('Http'), StageName: '$default', AutoDeploy: 'true', Tags: { team: 'shop' } },
    },
    Group: {
      Type: 'AWS::ElasticLoadBalancingV2::TargetGroup',
      Properties: { TargetType: 'lambda', HealthCheckEnabled: 'false', Targets: [{ Id: arn }] },
    },
    Balancer: { Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer', Properties: { Subnets: ['subnet-1', 'subnet-2'] } },
    Listener: {
      Type: 'AWS::ElasticLoadBalancingV2::Listener',
      Properties: {
        LoadBalancerArn: of('Balancer'),
        Port: '80',
        Protocol: 'HTTP',
        DefaultActions: [{ Type: 'forward', TargetGroupArn: of('Group') }],
      },
    },
  },
  Outputs: {
    Rest: { Value: sub('https://<Rest>.execute-api.<AWS::Region>.amazonaws.com/dev/hello') },
    Http: { Value: sub(`https://<Http>.execute-api.<AWS::Region>.<AWS::URLSuffix>${path}`) },
    Balancer: { Value: sub('http://<Balancer.DNSName>/') },
  },
});

it('make REST APIs, HTTP APIs and load balancers that answer at the addresses of the outputs', async () => {
  const StackName = 'gateways';
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody: JSON.stringify(template('/first')) }));
  const made = await settled(StackName);
  expect(await failuresOf(StackName)).toEqual([]);
  const outputOf = (stack: Stack, key: string) =>
    stack.Outputs?.find(({ OutputKey }) => OutputKey === key)?.OutputValue;
  for (const key of ['Rest', 'Http', 'Balancer']) {
    expect(await get(outputOf(made, key))).toMatchObject({ status: 200, text: 'hello' });
  }

  const addresses = Object.values(service.lamella.http.list()).map(
    (gateway) => 'address' in gateway && gateway.address,
  );
  const restHost = new URL(outputOf(made, 'Rest') ?? '').hostname.replace('amazonaws.com', 'localhost');
  expect(addresses).toContain(`${restHost}/dev/`);
  expect(addresses).toContain(`${new URL(outputOf(made, 'Balancer') ?? '').hostname}/`);

  await cloudFormation.send(new UpdateStackCommand({ StackName, TemplateBody: JSON.stringify(template('/second')) }));
  const updated = await settled(StackName);
  expect(await failuresOf(StackName)).toEqual([]);
  expect((await get(outputOf(made, 'Http'))).status).toBe(404);
  expect((await get(outputOf(updated, 'Http'))).text).toBe('hello');

  await cloudFormation.send(new DeleteStackCommand({ StackName: made.StackId }));
  expect((await settled(made.StackId ?? '')).StackStatus).toBe('DELETE_COMPLETE');
  expect(Object.keys(service.lamella.http.list())).toEqual([]);
}, 60_000);
