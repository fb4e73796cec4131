/**
 * The capabilities that a client has to grant for a template: IAM resources, those with names of their own, and
 * transforms. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
 */
import { type JsonObject, member, section } from '../template/tree.ts';
import { StackError } from './stack-error.ts';

export type Capability = 'CAPABILITY_IAM' | 'CAPABILITY_NAMED_IAM' | 'CAPABILITY_AUTO_EXPAND';

/** IAM's types, each with the property that names it. */
const IAM_TYPES: Readonly<Record<string, string | undefined>> = {
  'AWS::IAM::AccessKey': undefined,
  'AWS::IAM::Group': 'GroupName',
  'AWS::IAM::InstanceProfile': 'InstanceProfileName',
  'AWS::IAM::ManagedPolicy': 'ManagedPolicyName',
  'AWS::IAM::Policy': undefined,
  'AWS::IAM::Role': 'RoleName',
  'AWS::IAM::User': 'UserName',
  'AWS::IAM::UserToGroupAddition': undefined,
};

export type Needed = { readonly capabilities: readonly Capability[]; readonly types: readonly string[] };

/** What a template after its transforms needs, except for the transforms themselves. */
export function neededCapabilities(body: JsonObject): Needed {
  const resources = Object.values(section(body, 'Resources'));
  const iam = resources.filter((resource) => Object.hasOwn(IAM_TYPES, String(member(resource, 'Type'))));
  const isNamed = iam.some((resource) => {
    const name = IAM_TYPES[String(member(resource, 'Type'))];
    return name !== undefined && member(member(resource, 'Properties'), name) !== undefined;
  });
  const types = [...new Set(iam.map((resource) => String(member(resource, 'Type'))))];
  if (iam.length === 0) return { capabilities: [], types };
  return { capabilities: [isNamed ? 'CAPABILITY_NAMED_IAM' : 'CAPABILITY_IAM'], types };
}

/** @throws StackError InsufficientCapabilitiesException */
export function requireCapabilities(
  { body, transforms }: { readonly body: JsonObject; readonly transforms: readonly string[] },
  granted: readonly string[],
): void {
  // AWS's own language extensions and includes need it, too.
  if (transforms.length > 0 && !granted.includes('CAPABILITY_AUTO_EXPAND'))
    throw insufficient('CAPABILITY_AUTO_EXPAND');
  const [needed] = neededCapabilities(body).capabilities;
  if (needed === undefined || granted.includes(needed) || granted.includes('CAPABILITY_NAMED_IAM')) return;
  throw insufficient(needed);
}

function insufficient(capability: Capability): StackError {
  return new StackError('InsufficientCapabilitiesException', `Requires capabilities : [${capability}]`);
}
