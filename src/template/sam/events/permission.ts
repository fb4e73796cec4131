/** The permission with which an event source may invoke a function or its alias. */
import type { Json } from '../../tree.ts';
import type { EventTarget } from '../context.ts';
import { hashOf } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';

export interface PermissionParts {
  /** What the logical id begins with: the event's logical id. */
  readonly prefix: string;
  /** What it ends with; hashed unless it is alphanumeric. */
  readonly suffix?: string;
  readonly principal: string;
  readonly sourceArn?: Json | undefined;
  readonly sourceAccount?: Json | undefined;
  readonly eventSourceToken?: Json | undefined;
}

export function invokePermission(target: EventTarget, parts: PermissionParts): CfnResource {
  const suffix = parts.suffix ?? '';
  const ending = /^[\p{L}\p{N}]+$/u.test(suffix) ? suffix : hashOf(suffix);
  return cfnResource('AWS::Lambda::Permission', `${parts.prefix}Permission${ending}`, target.passedAttributes, {
    Action: 'lambda:InvokeFunction',
    FunctionName: target.name,
    Principal: parts.principal,
    SourceArn: parts.sourceArn,
    SourceAccount: parts.sourceAccount,
    EventSourceToken: parts.eventSourceToken,
  });
}
