/** ARNs of API Gateway as the transform writes them into an `Fn::Sub`: the region and the account are CloudFormation's. */
import { renderArn } from '../../../protocol/arn.ts';

const REGION = `\${AWS::Region}`;

/** The partition as CloudFormation's own variable. Some texts have it, others the partition's name. */
export const PARTITION = `\${AWS::Partition}`;

/** Something of an API: `resource` begins with the id of the API. */
export function executeApiArn(partition: string, resource: string): string {
  return renderArn({ partition, service: 'execute-api', region: REGION, account: `\${AWS::AccountId}`, resource });
}

/** What API Gateway calls: an action of `service`. */
export function apiGatewayArn(partition: string, service: string, action: string): string {
  return renderArn({ partition, service: 'apigateway', region: REGION, account: service, resource: action });
}

/** The invocation of a function, whose ARN is a variable of the `Fn::Sub`. */
export function functionInvocationArn(partition: string, variable: string): string {
  return apiGatewayArn(partition, 'lambda', `path/2015-03-31/functions/\${${variable}}/invocations`);
}

/** The users of all accounts: API Gateway calls with the credentials of the caller. */
export function callerArn(partition: string): string {
  return renderArn({ partition, service: 'iam', region: '', account: '*', resource: 'user/*' });
}
