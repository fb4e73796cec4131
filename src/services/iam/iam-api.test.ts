import type { IAMServiceException } from '@aws-sdk/client-iam';
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  GetUserCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListInstanceProfilesForRoleCommand,
  ListPoliciesCommand,
  ListRolePoliciesCommand,
  ListRolesCommand,
  ListRoleTagsCommand,
  PutRolePermissionsBoundaryCommand,
  PutRolePolicyCommand,
  paginateListRoles,
  SetDefaultPolicyVersionCommand,
  TagRoleCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
} from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApis } from '../../../test/support/running-apis.ts';
import { startApis, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});
const PERMISSIONS = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: 'arn:aws:s3:::bucket/*' }],
});
const BASIC = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';

describe('IAM', () => {
  let apis: RunningApis;
  let iam: IAMClient;

  beforeEach(async () => {
    apis = await startApis();
    iam = new IAMClient({ endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS });
  });
  afterEach(async () => {
    iam.destroy();
    await apis.close();
  });

  const createRole = (RoleName: string, more: object = {}) =>
    iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: TRUST, ...more }));
  const refusal = async (response: Promise<unknown>) => {
    const failure = await response.then(
      () => undefined,
      (reason: IAMServiceException) => reason,
    );
    return failure && [failure.name, failure.message, failure.$metadata.httpStatusCode];
  };
  const scope = { region: 'eu-west-1', account: '123456789012' };

  it('a created role has a path, an id, a date, a trust policy and tags', async () => {
    const tags = [{ Key: 'team', Value: 'a b@c' }];
    const startedAt = Date.now();
    const { Role: created } = await createRole('LambdaPhpExample', {
      Path: '/service-role/',
      Description: 'says "hi" & <bye>',
      MaxSessionDuration: 7200,
      Tags: tags,
    });
    expect(created?.Arn).toBe('arn:aws:iam::123456789012:role/service-role/LambdaPhpExample');
    expect(created?.RoleId).toMatch(/^AROA[A-Z2-7]{17}$/);
    const { Role: role } = await iam.send(new GetRoleCommand({ RoleName: 'lambdaphpexample' }));
    expect(role).toMatchObject({
      Path: '/service-role/',
      RoleName: 'LambdaPhpExample',
      RoleId: created?.RoleId,
      Description: 'says "hi" & <bye>',
      MaxSessionDuration: 7200,
      Tags: tags,
    });
    expect(decodeURIComponent(role?.AssumeRolePolicyDocument ?? '')).toBe(TRUST);
    // IAM gives whole seconds.
    expect(role?.CreateDate?.getTime()).toBeGreaterThan(startedAt - 1000);
    expect(role?.CreateDate?.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('finds out whether a role exists by its whole ARN', async () => {
    await createRole('r', { Path: '/p/' });
    expect(apis.iam.roleExists(scope, 'arn:aws:iam::123456789012:role/p/r')).toBe(true);
    expect(apis.iam.roleExists(scope, 'arn:aws:iam::123456789012:role/r')).toBe(false);
    expect(apis.iam.roleExists(scope, 'arn:aws:iam::210987654321:role/p/r')).toBe(false);
    expect(apis.iam.roleExists(scope, 'r')).toBe(false);
  });

  it("rejects a second role with the same name in any case, and an unknown role, in AWS's wording", async () => {
    await createRole('Once');
    expect(await refusal(createRole('ONCE'))).toEqual([
      'EntityAlreadyExistsException',
      'Role with name ONCE already exists.',
      409,
    ]);
    expect(await refusal(iam.send(new GetRoleCommand({ RoleName: 'nobody' })))).toEqual([
      'NoSuchEntityException',
      'The role with name nobody cannot be found.',
      404,
    ]);
  });

  it('lists roles by path, in pages that the SDK follows', async () => {
    const names = ['delta', 'Alpha', 'charlie', 'Bravo', 'echo'];
    for (const name of names) await createRole(name, { Path: name === 'echo' ? '/other/' : '/team/a/' });
    const found: (string | undefined)[] = [];
    for await (const page of paginateListRoles({ client: iam, pageSize: 2 }, { PathPrefix: '/team/' })) {
      expect(page.Roles?.length).toBeLessThanOrEqual(2);
      found.push(...(page.Roles ?? []).map(({ RoleName }) => RoleName));
    }
    expect(found).toEqual(['Alpha', 'Bravo', 'charlie', 'delta']);
    const all = await iam.send(new ListRolesCommand({}));
    expect(all.Roles).toHaveLength(5);
    expect(all.IsTruncated).toBe(false);
  });

  it('a role with policies cannot be deleted', async () => {
    const RoleName = 'busy';
    await createRole(RoleName);
    await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: BASIC }));
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'inline', PolicyDocument: PERMISSIONS }));
    const attempt = () => refusal(iam.send(new DeleteRoleCommand({ RoleName })));
    expect(await attempt()).toEqual([
      'DeleteConflictException',
      'Cannot delete entity, must detach all policies first.',
      409,
    ]);
    await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: BASIC }));
    expect(await attempt()).toEqual([
      'DeleteConflictException',
      'Cannot delete entity, must delete policies first.',
      409,
    ]);
    await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: 'inline' }));
    expect(await attempt()).toBeUndefined();
    expect((await attempt())?.[0]).toBe('NoSuchEntityException');
  });

  it('a role can be updated', async () => {
    const RoleName = 'changing';
    await createRole(RoleName, { Description: 'old' });
    const document = TRUST.replace('lambda.', 'edgelambda.');
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: document }));
    await iam.send(new UpdateRoleCommand({ RoleName, Description: 'new', MaxSessionDuration: 3601 }));
    await iam.send(new PutRolePermissionsBoundaryCommand({ RoleName, PermissionsBoundary: BASIC }));
    const { Role: role } = await iam.send(new GetRoleCommand({ RoleName }));
    expect(decodeURIComponent(role?.AssumeRolePolicyDocument ?? '')).toBe(document);
    expect(role).toMatchObject({
      Description: 'new',
      MaxSessionDuration: 3601,
      PermissionsBoundary: { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: BASIC },
    });
  });

  it('inline policies are stored by name, byte for byte', async () => {
    const RoleName = 'inlined';
    await createRole(RoleName);
    const document = ` {"Version":"2012-10-17", "Statement":{"Effect":"Deny","NotAction":"*","Resource":"*","Sid":"a1"}}\n`;
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'b', PolicyDocument: PERMISSIONS }));
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'a', PolicyDocument: document }));
    const { PolicyNames } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
    expect(PolicyNames).toEqual(['a', 'b']);
    const got = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: 'a' }));
    expect(decodeURIComponent(got.PolicyDocument ?? '')).toBe(document);
    expect(await refusal(iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: 'c' })))).toEqual([
      'NoSuchEntityException',
      'The role policy with name c cannot be found.',
      404,
    ]);
  });

  it('attaches policies of the account, any that AWS manages, and no others', async () => {
    const RoleName = 'attached';
    await createRole(RoleName);
    const { Policy } = await iam.send(
      new CreatePolicyCommand({ PolicyName: 'own', Path: '/x/', PolicyDocument: PERMISSIONS }),
    );
    const attach = (PolicyArn: string) => refusal(iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn })));
    const unheardOf = 'arn:aws:iam::aws:policy/aws-service-role/SomethingNewPolicy';
    for (const arn of [Policy?.Arn ?? '', BASIC, unheardOf, BASIC]) expect(await attach(arn)).toBeUndefined();
    const { AttachedPolicies } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
    expect(AttachedPolicies?.map(({ PolicyName }) => PolicyName).sort()).toEqual([
      'AWSLambdaBasicExecutionRole',
      'SomethingNewPolicy',
      'own',
    ]);
    const missing = 'arn:aws:iam::123456789012:policy/missing';
    expect(await attach(missing)).toEqual([
      'NoSuchEntityException',
      `Policy ${missing} does not exist or is not attachable.`,
      404,
    ]);
    expect(await attach('arn:aws:iam::aws:role/not-a-policy')).toEqual([
      'InvalidInputException',
      'ARN arn:aws:iam::aws:role/not-a-policy is not valid.',
      400,
    ]);
    expect(await refusal(iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: missing })))).toEqual([
      'NoSuchEntityException',
      `Policy ${missing} was not found.`,
      404,
    ]);
    expect(await refusal(iam.send(new DeletePolicyCommand({ PolicyArn: Policy?.Arn })))).toEqual([
      'DeleteConflictException',
      'Cannot delete a policy attached to entities.',
      409,
    ]);
    const entities = await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn: Policy?.Arn }));
    expect(entities.PolicyRoles?.map(({ RoleName }) => RoleName)).toEqual([RoleName]);
    const { Policy: counted } = await iam.send(new GetPolicyCommand({ PolicyArn: Policy?.Arn }));
    expect(counted?.AttachmentCount).toBe(1);
  });

  it('at most ten policies can be attached to a role', async () => {
    const RoleName = 'full';
    await createRole(RoleName);
    const attach = (index: number) =>
      refusal(iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: `arn:aws:iam::aws:policy/Number${index}` })));
    for (let index = 0; index < 10; index += 1) expect(await attach(index)).toBeUndefined();
    expect(await attach(10)).toEqual(['LimitExceededException', 'Cannot exceed quota for PoliciesPerRole: 10', 409]);
    expect(await attach(3)).toBeUndefined();
  });

  it('policies have up to five versions, one of them the default', async () => {
    const { Policy } = await iam.send(
      new CreatePolicyCommand({ PolicyName: 'p', PolicyDocument: PERMISSIONS, Description: 'd' }),
    );
    const PolicyArn = Policy?.Arn;
    expect(Policy).toMatchObject({ DefaultVersionId: 'v1', Path: '/', AttachmentCount: 0, IsAttachable: true });
    expect(Policy?.PolicyId).toMatch(/^ANPA[A-Z2-7]{17}$/);
    const add = (SetAsDefault: boolean) =>
      iam.send(
        new CreatePolicyVersionCommand({
          PolicyArn,
          PolicyDocument: PERMISSIONS.replace('Allow', 'Deny'),
          SetAsDefault,
        }),
      );
    expect((await add(true)).PolicyVersion).toMatchObject({ VersionId: 'v2', IsDefaultVersion: true });
    for (let count = 0; count < 3; count += 1) await add(false);
    expect((await refusal(add(false)))?.[0]).toBe('LimitExceededException');
    const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    expect(decodeURIComponent(PolicyVersion?.Document ?? '')).toBe(PERMISSIONS.replace('Allow', 'Deny'));
    const drop = (VersionId: string) => refusal(iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId })));
    expect((await drop('v2'))?.[0]).toBe('DeleteConflictException');
    expect((await drop('v9'))?.[0]).toBe('NoSuchEntityException');
    expect((await refusal(iam.send(new DeletePolicyCommand({ PolicyArn }))))?.[0]).toBe('DeleteConflictException');
    await iam.send(new SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: 'v3' }));
    for (const version of ['v1', 'v2', 'v4', 'v5']) expect(await drop(version)).toBeUndefined();
    expect((await add(false)).PolicyVersion?.VersionId).toBe('v6');
    expect(await drop('v6')).toBeUndefined();
    expect(await refusal(iam.send(new DeletePolicyCommand({ PolicyArn })))).toBeUndefined();
    expect(await refusal(iam.send(new GetPolicyCommand({ PolicyArn })))).toEqual([
      'NoSuchEntityException',
      `Policy ${PolicyArn} was not found.`,
      404,
    ]);
  });

  it('has the documents of the policies that AWS manages for Lambda', async () => {
    const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn: BASIC }));
    expect(Policy).toMatchObject({ PolicyName: 'AWSLambdaBasicExecutionRole', Path: '/service-role/', Arn: BASIC });
    const version = await iam.send(
      new GetPolicyVersionCommand({ PolicyArn: BASIC, VersionId: Policy?.DefaultVersionId }),
    );
    expect(decodeURIComponent(version.PolicyVersion?.Document ?? '')).toContain('logs:PutLogEvents');
    const listed = await iam.send(new ListPoliciesCommand({ Scope: 'AWS', PathPrefix: '/service-role/' }));
    expect(listed.Policies?.map(({ Arn }) => Arn)).toContain(BASIC);
    expect((await iam.send(new ListPoliciesCommand({ Scope: 'Local' }))).Policies).toEqual([]);
  });

  it('tags of a role are added, replaced and removed', async () => {
    const RoleName = 'tagged';
    await createRole(RoleName, { Tags: [{ Key: 'a', Value: '1' }] });
    await iam.send(
      new TagRoleCommand({
        RoleName,
        Tags: [
          { Key: 'b', Value: '2' },
          { Key: 'A', Value: '3' },
        ],
      }),
    );
    const tags = async () => (await iam.send(new ListRoleTagsCommand({ RoleName }))).Tags;
    expect(await tags()).toEqual([
      { Key: 'A', Value: '3' },
      { Key: 'b', Value: '2' },
    ]);
    await iam.send(new UntagRoleCommand({ RoleName, TagKeys: ['a', 'zzz'] }));
    expect(await tags()).toEqual([{ Key: 'b', Value: '2' }]);
    const twice = iam.send(
      new TagRoleCommand({
        RoleName,
        Tags: [
          { Key: 'x', Value: '' },
          { Key: 'X', Value: '' },
        ],
      }),
    );
    expect(await refusal(twice)).toEqual([
      'InvalidInputException',
      'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      400,
    ]);
  });

  it.each([
    ['not json', 'This policy contains invalid Json'],
    ['[]', 'This policy contains invalid Json'],
    [TRUST.replace('sts:AssumeRole', 's3:GetObject'), 'AssumeRole policy may only specify STS AssumeRole actions.'],
    [TRUST.replace('"Action"', '"Resource":"*","Action"'), 'Has prohibited field Resource'],
    [TRUST.replace('"Principal":{"Service":"lambda.amazonaws.com"},', ''), 'Missing required field Principal'],
    [
      TRUST.replace('lambda.amazonaws.com', 'lambda.example.com'),
      'Invalid principal in policy: "Service":"lambda.example.com"',
    ],
  ])('rejects the trust policy %s', async (AssumeRolePolicyDocument, message) => {
    const response = createRole('bad', { AssumeRolePolicyDocument });
    expect(await refusal(response)).toEqual(['MalformedPolicyDocumentException', message, 400]);
  });

  it.each([
    ['nonsense', 'Syntax errors in policy.'],
    [PERMISSIONS.replace('Allow', 'Permit'), 'Syntax errors in policy.'],
    [
      PERMISSIONS.replace('"Resource":"arn:aws:s3:::bucket/*"', '"Sid":"x"'),
      'Policy statement must contain resources.',
    ],
    [PERMISSIONS.replace('"Action":["s3:GetObject"],', ''), 'Policy statement must contain actions.'],
    [
      PERMISSIONS.replace('s3:GetObject', 'GetObject'),
      'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.',
    ],
    [PERMISSIONS.replace('arn:aws:s3:::bucket/*', 'bucket'), 'Resource bucket must be in ARN format or "*".'],
    [PERMISSIONS.replace('2012-10-17', '2008-10-17'), 'Policy document must be version 2012-10-17 or greater.'],
    [PERMISSIONS.replace('"Effect"', '"Principal":"*","Effect"'), 'Policy document should not specify a principal.'],
  ])('rejects the permissions policy %s', async (PolicyDocument, message) => {
    const response = iam.send(new CreatePolicyCommand({ PolicyName: 'bad', PolicyDocument }));
    expect(await refusal(response)).toEqual(['MalformedPolicyDocumentException', message, 400]);
  });

  it("rejects invalid names, paths and sizes in AWS's wording", async () => {
    expect(await refusal(createRole('bad name!'))).toEqual([
      'ValidationError',
      'The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-',
      400,
    ]);
    expect(await refusal(createRole('x'.repeat(65)))).toEqual([
      'ValidationError',
      `1 validation error detected: Value '${'x'.repeat(65)}' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64`,
      400,
    ]);
    expect((await refusal(createRole('r', { Path: 'no-slash' })))?.[1]).toContain(
      'The specified value for path is invalid.',
    );
    expect((await refusal(createRole('r', { MaxSessionDuration: 1 })))?.[1]).toContain(
      "Value '1' at 'maxSessionDuration'",
    );
  });

  it('lists no instance profiles, and has the root as the only user', async () => {
    await createRole('r');
    const profiles = await iam.send(new ListInstanceProfilesForRoleCommand({ RoleName: 'r' }));
    expect(profiles.InstanceProfiles).toEqual([]);
    expect((await iam.send(new GetUserCommand({}))).User?.Arn).toBe('arn:aws:iam::123456789012:root');
    expect((await refusal(iam.send(new GetUserCommand({ UserName: 'bob' }))))?.[0]).toBe('NoSuchEntityException');
  });
});
