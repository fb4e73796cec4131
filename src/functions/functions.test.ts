import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import {
  codeZip,
  functionDraft,
  type OpenedFunctions,
  openFunctionsIn,
  publishLayer,
  SCOPE,
  temporaryDirectory,
} from '../../test/support/opened-functions.ts';
import { rawZip } from '../../test/support/raw-zip.ts';
import type { FunctionName } from '../protocol/names.ts';
import type { ConfigurationDraft, FunctionDraft, FunctionVersion } from './function.ts';
import type { Functions } from './functions.ts';
import type { FunctionChange } from './retirements.ts';

const F = 'f' as FunctionName;
const ARN = 'arn:aws:lambda:eu-central-1:123456789012:function:f';

let directory: string;
let remove: () => Promise<void>;
let opened: OpenedFunctions;
let functions: Functions;
beforeEach(async () => {
  ({ directory, remove } = await temporaryDirectory());
  opened = openFunctionsIn(directory);
  functions = opened.functions;
});
afterEach(async () => {
  await opened.close();
  await remove();
});

async function reopen(options: Parameters<typeof openFunctionsIn>[1] = {}): Promise<void> {
  await opened.close();
  opened = openFunctionsIn(directory, options);
  functions = opened.functions;
}

const refusal = (code: string, message: string) => expect.objectContaining({ code, message });
const zip = (content: string) => ({ kind: 'zip', zip: codeZip(content) }) as const;
const statesOf = ({ state, lastUpdateStatus }: FunctionVersion) => [state, lastUpdateStatus];

describe('create', () => {
  it('returns a Pending function, which is Active right after with another revision', async () => {
    const created = await functions.create(SCOPE, functionDraft('f'));
    expect(created).toMatchObject({
      arn: ARN,
      version: '$LATEST',
      state: 'Pending',
      stateReason: 'The function is being created.',
      stateReasonCode: 'Creating',
      lastUpdateStatus: undefined,
      lastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
    });
    const active = functions.get(SCOPE, F);
    expect(statesOf(active)).toEqual(['Active', 'Successful']);
    expect(active.revisionId).not.toBe(created.revisionId);
    expect(functions.resolve(SCOPE, F)).toEqual(active);
  });

  it("applies AWS's defaults", async () => {
    const { configuration } = await functions.create(SCOPE, functionDraft('f'));
    expect(configuration).toMatchObject({
      description: '',
      timeoutSeconds: 3,
      memoryMib: 128,
      ephemeralStorageMib: 512,
      environment: undefined,
      layers: [],
      tracingMode: 'PassThrough',
      logging: { format: 'Text', logGroup: '/aws/lambda/f' },
    });
  });

  it('unpacks the code and stores the zip', async () => {
    const created = await functions.create(SCOPE, functionDraft('f', { code: 'hello' }));
    const directory = functions.codeDirectory(created) ?? '';
    expect(readFileSync(join(directory, 'bootstrap'), 'utf8')).toContain('hello');
    expect(readFileSync(functions.contentPath(created.code.digest as never))).toEqual(codeZip('hello'));
    expect(created.code.codeSize).toBe(codeZip('hello').length);
  });

  it('with publish returns version 1 under the unqualified ARN', async () => {
    const created = await functions.create(SCOPE, functionDraft('f', { publish: true }));
    expect([created.version, created.arn, created.state]).toEqual(['1', ARN, 'Pending']);
    expect(functions.get(SCOPE, F, '1').arn).toBe(`${ARN}:1`);
    expect(statesOf(functions.get(SCOPE, F, '1'))).toEqual(['Active', 'Successful']);
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('1');
  });

  it('refuses an existing name, even for concurrent requests', async () => {
    const attempts = await Promise.allSettled([1, 2, 3].map(() => functions.create(SCOPE, functionDraft('f'))));
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(functions.create(SCOPE, functionDraft('f'))).rejects.toEqual(
      refusal('ResourceConflictException', 'Function already exist: f'),
    );
  });

  it('records container images without fetching them', async () => {
    const imageUri = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:latest';
    const created = await functions.create(SCOPE, {
      ...functionDraft('f', { packageType: 'Image' }),
      configuration: { role: 'arn:aws:iam::123456789012:role/r' },
      code: { kind: 'image', imageUri },
    });
    expect(created.code).toMatchObject({ packageType: 'Image', imageUri, codeSize: 0, digest: undefined });
    expect(functions.codeDirectory(created)).toBeUndefined();
  });

  const ENV_TOO_LARGE = { A: 'x'.repeat(4090) };
  const refused: [string, Partial<Omit<FunctionDraft, 'configuration'>>, ConfigurationDraft, string, string][] = [
    [
      'a malformed role',
      {},
      { role: 'r1' },
      'ValidationException',
      "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
    ],
    [
      'reserved variables',
      {},
      { environment: { AWS_REGION: 'x', OK: 'y', _HANDLER: 'z' } },
      'InvalidParameterValueException',
      'Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, _HANDLER',
    ],
    [
      'more than 4 KB of variables',
      {},
      { environment: ENV_TOO_LARGE },
      'InvalidParameterValueException',
      `Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: ${JSON.stringify(ENV_TOO_LARGE)}`,
    ],
    [
      'levels for text logs',
      {},
      { logging: { applicationLogLevel: 'DEBUG' } },
      'InvalidParameterValueException',
      'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and try again.',
    ],
    [
      'a missing layer',
      {},
      { layers: ['arn:aws:lambda:eu-central-1:123456789012:layer:nope:1'] },
      'InvalidParameterValueException',
      'Layer version arn:aws:lambda:eu-central-1:123456789012:layer:nope:1 does not exist.',
    ],
    [
      'SnapStart for a custom runtime',
      {},
      { stored: { SnapStart: { ApplyOn: 'PublishedVersions' } } },
      'InvalidParameterValueException',
      'provided.al2023 is not supported for SnapStart enabled functions.',
    ],
    [
      'an image with a handler',
      { packageType: 'Image', code: { kind: 'image', imageUri: 'x' } },
      {},
      'InvalidParameterValueException',
      "Please don't provide handler or runtime or layer when the intended function PackageType is Image.",
    ],
    [
      'too many tags',
      { tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])) },
      {},
      'InvalidParameterValueException',
      'Number of tags exceeds resource tag limit.',
    ],
    [
      'a broken zip',
      { code: { kind: 'zip', zip: Buffer.from('PK') } },
      {},
      'InvalidParameterValueException',
      'Could not unzip uploaded file. Please check your file, then try to upload again.',
    ],
  ];
  it.each(refused)("refuses %s with AWS's message", async (_, others, configuration, code, message) => {
    const base = functionDraft('f', { configuration });
    await expect(functions.create(SCOPE, { ...base, ...others })).rejects.toEqual(refusal(code, message));
    expect(functions.list(SCOPE).items).toEqual([]);
    expect(readdirSync(opened.data.blobs)).toEqual([]);
  });

  it('refuses a zip function without handler or runtime', async () => {
    const draft = { ...functionDraft('f'), configuration: { role: 'arn:aws:iam::123456789012:role/r' } };
    await expect(functions.create(SCOPE, draft)).rejects.toEqual(
      refusal(
        'InvalidParameterValueException',
        'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
      ),
    );
  });

  it('accepts retired runtimes unless strict, and refuses unknown ones', async () => {
    const retired = functionDraft('f', { configuration: { runtime: 'provided' } });
    expect((await functions.create(SCOPE, retired)).configuration.runtime).toBe('provided');
    const unknown = functions.create(SCOPE, functionDraft('g', { configuration: { runtime: 'cobol' } }));
    await expect(unknown).rejects.toThrow("Value cobol at 'runtime' failed to satisfy constraint");
    await reopen({ strictRuntimes: true });
    const strict = functions.create(SCOPE, functionDraft('h', { configuration: { runtime: 'provided' } }));
    await expect(strict).rejects.toThrow(
      'The runtime parameter of provided is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.',
    );
  });

  it('refuses a missing role when roles are checked', async () => {
    await reopen({ roleExists: () => false });
    await expect(functions.create(SCOPE, functionDraft('f'))).rejects.toEqual(
      refusal('InvalidParameterValueException', 'The role defined for the function cannot be assumed by Lambda.'),
    );
    const role = 'arn:aws:iam::210987654321:role/r';
    await expect(functions.create(SCOPE, functionDraft('f', { configuration: { role } }))).rejects.toEqual(
      refusal('AccessDeniedException', 'Cross-account pass role is not allowed.'),
    );
  });

  it('get a new revision with their tags, while the revision that runs stays the same', async () => {
    await reopen({ stateDelayMs: 50 });
    await functions.create(SCOPE, functionDraft('f'));
    functions.addTags(SCOPE, F, { a: 'b' });
    // A function that is tagged while it is created still becomes active.
    await expect.poll(() => functions.get(SCOPE, F).state).toBe('Active');
    const running = functions.resolve(SCOPE, F);
    const revisions = [functions.get(SCOPE, F).revisionId];
    functions.addTags(SCOPE, F, { a: 'c' });
    revisions.push(functions.get(SCOPE, F).revisionId);
    functions.removeTags(SCOPE, F, ['a']);
    revisions.push(functions.get(SCOPE, F).revisionId);
    expect(new Set(revisions).size).toBe(3);
    expect(functions.isCurrent(running)).toBe(true);
  });

  it('refuses code and layers that are too large together', async () => {
    const zeros = Buffer.alloc(131_000_000);
    const layer = await publishLayer(opened.layers, 'large', [{ name: 'a', content: zeros }]);
    const code = {
      kind: 'zip',
      zip: rawZip([
        { name: 'b', content: zeros },
        { name: 'c', content: Buffer.alloc(144_000) },
      ]),
    } as const;
    const fits = functionDraft('f', { configuration: { layers: [layer.arn] } });
    const tooLarge = functions.create(SCOPE, { ...fits, code });
    await expect(tooLarge).resolves.toBeDefined();
    const update = functions.updateCode(SCOPE, F, {
      code: {
        kind: 'zip',
        zip: rawZip([
          { name: 'b', content: zeros },
          { name: 'c', content: Buffer.alloc(144_001) },
        ]),
      },
    });
    await expect(update).rejects.toEqual(
      refusal('InvalidParameterValueException', 'Unzipped size must be smaller than 262144000 bytes'),
    );
  });
});

describe('update', () => {
  beforeEach(() => functions.create(SCOPE, functionDraft('f', { configuration: { description: 'first' } })));

  it('returns InProgress, and is Successful right after with another revision', async () => {
    const shown = await functions.updateConfiguration(SCOPE, F, { timeoutSeconds: 9 });
    expect(shown).toMatchObject({
      state: 'Active',
      lastUpdateStatus: 'InProgress',
      lastUpdateStatusReason: 'The function is being created.',
      lastUpdateStatusReasonCode: 'Creating',
    });
    const after = functions.get(SCOPE, F);
    expect(statesOf(after)).toEqual(['Active', 'Successful']);
    expect(after.revisionId).not.toBe(shown.revisionId);
  });

  it('changes only the given members', async () => {
    await functions.updateConfiguration(SCOPE, F, { environment: { A: '1' }, stored: { KMSKeyArn: 'k' } });
    await functions.updateConfiguration(SCOPE, F, { memoryMib: 512, environment: {}, stored: { VpcConfig: {} } });
    expect(functions.get(SCOPE, F).configuration).toMatchObject({
      description: 'first',
      memoryMib: 512,
      environment: {},
      stored: { KMSKeyArn: 'k', VpcConfig: {} },
    });
  });

  it('of the log format adds levels for JSON and removes them for Text', async () => {
    await functions.updateConfiguration(SCOPE, F, { logging: { format: 'JSON', applicationLogLevel: 'DEBUG' } });
    const logGroup = '/aws/lambda/f';
    const json = { format: 'JSON', applicationLogLevel: 'DEBUG', systemLogLevel: 'INFO', logGroup };
    expect(functions.get(SCOPE, F).configuration.logging).toEqual(json);
    await functions.updateConfiguration(SCOPE, F, { logging: { logGroup: 'mine' } });
    expect(functions.get(SCOPE, F).configuration.logging).toEqual({ ...json, logGroup: 'mine' });
    await functions.updateConfiguration(SCOPE, F, { logging: { format: 'Text' } });
    expect(functions.get(SCOPE, F).configuration.logging).toMatchObject({ format: 'Text', logGroup: 'mine' });
    expect(functions.get(SCOPE, F).configuration.logging.systemLogLevel).toBeUndefined();
  });

  it('of the code stores new code under a new digest', async () => {
    const before = functions.get(SCOPE, F);
    const shown = await functions.updateCode(SCOPE, F, { code: zip('second'), architecture: 'arm64' });
    expect(shown.code.digest).not.toBe(before.code.digest);
    expect(functions.get(SCOPE, F).code).toEqual(shown.code);
    expect(shown.code.architecture).toBe('arm64');
  });

  it('of the code with publish returns the new version, Pending', async () => {
    const shown = await functions.updateCode(SCOPE, F, { code: zip('second'), publish: true });
    expect([shown.version, shown.arn, shown.state]).toEqual(['1', `${ARN}:1`, 'Pending']);
    expect(statesOf(functions.get(SCOPE, F, '1'))).toEqual(['Active', 'Successful']);
    const again = await functions.updateCode(SCOPE, F, { code: zip('second'), publish: true });
    expect([again.version, again.state]).toEqual(['2', 'Pending']);
  });

  it('as a dry run changes nothing', async () => {
    const before = functions.get(SCOPE, F);
    const shown = await functions.updateCode(SCOPE, F, { code: zip('second'), dryRun: true });
    expect(shown.code.codeSha256).not.toBe(before.code.codeSha256);
    expect(functions.get(SCOPE, F)).toEqual(before);
  });

  it('is refused for another revision, another kind of code and a missing function', async () => {
    const mismatch = refusal(
      'PreconditionFailedException',
      'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    );
    const { revisionId } = functions.get(SCOPE, F);
    await functions.updateConfiguration(SCOPE, F, { timeoutSeconds: 4 }, revisionId);
    await expect(functions.updateConfiguration(SCOPE, F, { timeoutSeconds: 5 }, revisionId)).rejects.toEqual(mismatch);
    await expect(functions.updateCode(SCOPE, F, { code: zip('x'), revisionId })).rejects.toEqual(mismatch);
    await expect(functions.publishVersion(SCOPE, F, { revisionId })).rejects.toEqual(mismatch);
    await expect(functions.updateCode(SCOPE, F, { code: { kind: 'image', imageUri: 'x' } })).rejects.toThrow(
      "Please don't provide ImageUri when updating a function with packageType Zip.",
    );
    const missing = 'nope' as FunctionName;
    await expect(functions.updateConfiguration(SCOPE, missing, {})).rejects.toEqual(
      refusal(
        'ResourceNotFoundException',
        'Function not found: arn:aws:lambda:eu-central-1:123456789012:function:nope',
      ),
    );
  });
});

describe('publishVersion', () => {
  beforeEach(() => functions.create(SCOPE, functionDraft('f')));

  it('freezes code and configuration under the next number', async () => {
    const first = await functions.publishVersion(SCOPE, F, { description: 'one' });
    expect(first).toMatchObject({ version: '1', arn: `${ARN}:1`, state: 'Active', lastUpdateStatus: 'Successful' });
    await functions.updateConfiguration(SCOPE, F, { description: 'two', timeoutSeconds: 7 });
    const second = await functions.publishVersion(SCOPE, F);
    expect([second.version, second.configuration.description]).toEqual(['2', 'two']);
    expect(functions.get(SCOPE, F, '1')).toEqual(first);
    expect(first.configuration).toMatchObject({ description: 'one', timeoutSeconds: 3 });
  });

  it('returns the last version until the next update, even after a restart', async () => {
    const first = await functions.publishVersion(SCOPE, F, { description: 'one' });
    expect(await functions.publishVersion(SCOPE, F, { description: 'other' })).toEqual(first);
    functions.addTags(SCOPE, F, { a: 'b' });
    await reopen();
    expect(await functions.publishVersion(SCOPE, F)).toEqual(first);
  });

  it('creates a version after an update that changed nothing', async () => {
    const { code } = functionDraft('f');
    await functions.publishVersion(SCOPE, F);
    const dryRun = await functions.updateCode(SCOPE, F, { code, dryRun: true });
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('1');
    const updated = await functions.updateCode(SCOPE, F, { code });
    expect(updated.code.codeSha256).toBe(dryRun.code.codeSha256);
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('2');
    expect((await functions.updateCode(SCOPE, F, { code, publish: true })).version).toBe('3');
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('3');
    await functions.updateConfiguration(SCOPE, F, {});
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('4');
  });

  it('gives $LATEST a new revision without changing the revision that runs', async () => {
    const before = functions.get(SCOPE, F);
    const running = functions.resolve(SCOPE, F);
    await functions.publishVersion(SCOPE, F);
    expect(functions.get(SCOPE, F).revisionId).not.toBe(before.revisionId);
    expect(functions.resolve(SCOPE, F)).toBe(running);
    expect(functions.isCurrent(running)).toBe(true);
  });

  it('never reuses a number, even after the function was deleted', async () => {
    await functions.publishVersion(SCOPE, F);
    functions.delete(SCOPE, F, '1');
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('2');
    functions.delete(SCOPE, F);
    await functions.create(SCOPE, functionDraft('f'));
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('3');
  });

  it('refuses a digest that differs from that of $LATEST', async () => {
    const { codeSha256 } = functions.get(SCOPE, F).code;
    await expect(functions.publishVersion(SCOPE, F, { codeSha256: 'x' })).rejects.toEqual(
      refusal(
        'InvalidParameterValueException',
        `CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (${codeSha256}). Please try again with the CodeSHA256 in $LATEST.`,
      ),
    );
    expect((await functions.publishVersion(SCOPE, F, { codeSha256 })).version).toBe('1');
  });
});

describe('delete', () => {
  it('removes a version, or the function with all its versions', async () => {
    await functions.create(SCOPE, functionDraft('f', { publish: true }));
    functions.delete(SCOPE, F, '1');
    functions.delete(SCOPE, F, '1');
    functions.delete(SCOPE, F, '99');
    expect(() => functions.get(SCOPE, F, '1')).toThrow(
      refusal('ResourceNotFoundException', `Function not found: ${ARN}:1`),
    );
    functions.delete(SCOPE, F);
    expect(() => functions.get(SCOPE, F)).toThrow(refusal('ResourceNotFoundException', `Function not found: ${ARN}`));
    expect(() => functions.delete(SCOPE, F)).toThrow(
      refusal('ResourceNotFoundException', `Function not found: ${ARN}`),
    );
    expect(() => functions.delete(SCOPE, F, '1')).toThrow(
      refusal('ResourceNotFoundException', `Function not found: ${ARN}`),
    );
  });

  it('refuses $LATEST and aliases', async () => {
    await functions.create(SCOPE, functionDraft('f'));
    expect(() => functions.delete(SCOPE, F, '$LATEST')).toThrow(
      refusal('InvalidParameterValueException', '$LATEST version cannot be deleted without deleting the function.'),
    );
    expect(() => functions.delete(SCOPE, F, 'live')).toThrow(
      refusal('InvalidParameterValueException', 'Deletion of aliases is not currently supported.'),
    );
    expect(() => functions.delete(SCOPE, 'g' as FunctionName, 'live')).toThrow(
      refusal('ResourceNotFoundException', `Function not found: ${ARN.replace(/f$/, 'g')}`),
    );
  });
});

describe('lists', () => {
  it('return the functions of a scope by name, in pages', async () => {
    for (const name of ['b', 'c', 'a']) await functions.create(SCOPE, functionDraft(name, { publish: name === 'b' }));
    await functions.create({ ...SCOPE, region: 'us-east-1' }, functionDraft('z'));
    const names = (all: boolean) => {
      const found: string[] = [];
      let marker: string | undefined;
      do {
        const page = functions.list(SCOPE, { maxItems: 1, marker, all });
        found.push(...page.items.map(({ name, version }) => `${name}:${version}`));
        marker = page.nextMarker;
      } while (marker !== undefined);
      return found;
    };
    expect(names(false)).toEqual(['a:$LATEST', 'b:$LATEST', 'c:$LATEST']);
    expect(names(true)).toEqual(['a:$LATEST', 'b:$LATEST', 'b:1', 'c:$LATEST']);
  });

  it('return versions by number, $LATEST first', async () => {
    await functions.create(SCOPE, functionDraft('f'));
    for (let i = 1; i <= 11; i += 1) {
      await functions.updateConfiguration(SCOPE, F, { timeoutSeconds: i });
      await functions.publishVersion(SCOPE, F);
    }
    const first = functions.listVersions(SCOPE, F, { maxItems: 3 });
    expect(first.items.map(({ version }) => version)).toEqual(['$LATEST', '1', '2']);
    const rest = functions.listVersions(SCOPE, F, { marker: first.nextMarker });
    expect(rest.items.map(({ version }) => version)).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11']);
    expect(rest.nextMarker).toBeUndefined();
    expect(() => functions.listVersions(SCOPE, 'nope' as FunctionName)).toThrow('Function not found');
  });
});

describe('resolve', () => {
  it("reports a missing version with AWS's message, $LATEST by default", async () => {
    expect(() => functions.resolve(SCOPE, F)).toThrow(
      refusal('ResourceNotFoundException', `Function not found: ${ARN}:$LATEST`),
    );
    await functions.create(SCOPE, functionDraft('f'));
    for (const qualifier of ['7', '01', 'live', '0']) {
      expect(() => functions.resolve(SCOPE, F, qualifier)).toThrow(
        refusal('ResourceNotFoundException', `Function not found: ${ARN}:${qualifier}`),
      );
    }
    expect(() => functions.resolve({ ...SCOPE, region: 'us-east-1' }, F)).toThrow('Function not found');
  });
});

describe('a state delay', () => {
  it('keeps a new function Pending, so that it can neither run nor change', async () => {
    const clock = new FakeClock();
    await reopen({ clock, stateDelayMs: 100 });
    const created = await functions.create(SCOPE, functionDraft('f', { publish: true }));
    expect(functions.get(SCOPE, F).state).toBe('Pending');
    const notNow = refusal(
      'ResourceConflictException',
      'The operation cannot be performed at this time. The function is currently in the following state: Pending',
    );
    expect(() => functions.resolve(SCOPE, F)).toThrow(notNow);
    expect(() => functions.resolve(SCOPE, F, '1')).toThrow(notNow);
    await expect(functions.updateConfiguration(SCOPE, F, { timeoutSeconds: 5 })).rejects.toEqual(notNow);
    await expect(functions.updateCode(SCOPE, F, { code: zip('x') })).rejects.toEqual(notNow);
    clock.advance(100);
    expect(statesOf(functions.get(SCOPE, F))).toEqual(['Active', 'Successful']);
    expect(functions.resolve(SCOPE, F, '1').state).toBe('Active');
    expect(created.state).toBe('Pending');
  });

  it('lets invocations run the old revision until an update has completed', async () => {
    const clock = new FakeClock();
    await functions.create(SCOPE, functionDraft('f'));
    await reopen({ clock, stateDelayMs: 100 });
    const changes: FunctionChange[] = [];
    functions.onChange((change) => changes.push(change));
    const before = functions.resolve(SCOPE, F);
    await functions.updateConfiguration(SCOPE, F, { timeoutSeconds: 5 });
    expect(functions.resolve(SCOPE, F)).toBe(before);
    expect(functions.get(SCOPE, F).lastUpdateStatus).toBe('InProgress');
    await expect(functions.publishVersion(SCOPE, F)).rejects.toEqual(
      refusal(
        'ResourceConflictException',
        `The operation cannot be performed at this time. An update is in progress for resource: ${ARN}`,
      ),
    );
    expect(changes).toEqual([]);
    clock.advance(100);
    expect(functions.resolve(SCOPE, F).configuration.timeoutSeconds).toBe(5);
    expect(functions.isCurrent(before)).toBe(false);
    expect(changes).toEqual([{ scope: SCOPE, name: F, retired: [before] }]);
  });

  it('ends at the next start if the service stops earlier', async () => {
    await reopen({ clock: new FakeClock(), stateDelayMs: 100 });
    await functions.create(SCOPE, functionDraft('f', { publish: true }));
    await reopen();
    expect(statesOf(functions.get(SCOPE, F))).toEqual(['Active', 'Successful']);
    expect(functions.resolve(SCOPE, F, '1').state).toBe('Active');
    expect((await functions.publishVersion(SCOPE, F)).version).toBe('1');
  });
});

describe('onChange', () => {
  it('reports the versions that invocations no longer run', async () => {
    await functions.create(SCOPE, functionDraft('f', { publish: true }));
    const changes: FunctionChange[] = [];
    const stop = functions.onChange((change) => changes.push(change));
    const first = functions.resolve(SCOPE, F);
    await functions.updateCode(SCOPE, F, { code: zip('second') });
    expect(changes.splice(0)).toEqual([{ scope: SCOPE, name: F, retired: [first] }]);
    const [second, published] = [functions.resolve(SCOPE, F), functions.resolve(SCOPE, F, '1')];
    functions.delete(SCOPE, F);
    expect(changes.splice(0)).toEqual([{ scope: SCOPE, name: F, retired: [second, published] }]);
    expect(functions.isCurrent(published)).toBe(false);
    stop();
    await functions.create(SCOPE, functionDraft('f'));
    functions.delete(SCOPE, F);
    expect(changes).toEqual([]);
  });
});

describe('tags', () => {
  it('are set at creation, added and removed', async () => {
    await functions.create(SCOPE, functionDraft('f', { tags: { a: '1' } }));
    functions.addTags(SCOPE, F, { b: '2', a: '3' });
    expect(functions.tags(SCOPE, F)).toEqual({ a: '3', b: '2' });
    functions.removeTags(SCOPE, F, ['a', 'missing']);
    expect(functions.tags(SCOPE, F)).toEqual({ b: '2' });
    expect(() => functions.addTags(SCOPE, F, {})).toThrow('An error occurred and the request cannot be processed.');
    expect(() => functions.tags(SCOPE, 'nope' as FunctionName)).toThrow('Function not found');
  });
});

describe('collectGarbage', () => {
  it('removes what nothing has referred to for a day, except what is in use', async () => {
    const clock = new FakeClock();
    await reopen({ clock });
    const [one, two] = [
      await publishLayer(opened.layers, 'one', [{ name: 'a', content: '1' }]),
      await publishLayer(opened.layers, 'two', [{ name: 'b', content: '2' }]),
    ];
    const lists = [
      [one.arn, two.arn],
      [two.arn, one.arn],
    ];
    for (const [index, layers] of lists.entries()) {
      await functions.create(SCOPE, functionDraft(`f${index}`, { configuration: { layers } }));
    }
    const [kept, gone] = [
      functions.resolve(SCOPE, 'f0' as FunctionName),
      functions.resolve(SCOPE, 'f1' as FunctionName),
    ];
    const opt = (version: FunctionVersion) =>
      opened.layers.optTree(version.configuration.layers.map(({ digest }) => digest)).then((path) => path ?? '');
    const [keptOpt, goneOpt] = [await opt(kept), await opt(gone)];
    opened.layers.delete(SCOPE, one.name, 1);
    functions.delete(SCOPE, gone.name);

    const day = 24 * 60 * 60_000;
    // It was just retired: an environment may be starting with it.
    expect(await functions.collectGarbage(() => [])).toEqual({ archives: 0, optTrees: 0 });
    clock.advance(10 * 60_000);
    expect(await functions.collectGarbage(() => [gone])).toEqual({ archives: 0, optTrees: 0 });
    // Archives are kept for a day; a merged tree can be made again.
    expect(await functions.collectGarbage(() => [])).toEqual({ archives: 0, optTrees: 1 });
    clock.advance(day);
    expect(await functions.collectGarbage(() => [])).toEqual({ archives: 1, optTrees: 0 });

    expect([keptOpt, goneOpt].map((path) => existsSync(path))).toEqual([true, false]);
    expect(existsSync(functions.codeDirectory(kept) ?? '')).toBe(true);
    expect(existsSync(functions.codeDirectory(gone) ?? '')).toBe(false);
    // A function keeps its layers even after they were deleted.
    expect(readdirSync(opened.data.blobs).sort()).toEqual([kept.code.digest, one.digest, two.digest].sort());

    functions.delete(SCOPE, kept.name);
    clock.advance(10 * 60_000);
    expect(await functions.collectGarbage(() => [])).toEqual({ archives: 0, optTrees: 1 });
    clock.advance(day);
    expect(await functions.collectGarbage(() => [])).toEqual({ archives: 2, optTrees: 0 });
    expect(readdirSync(opened.data.trees)).toEqual([two.digest]);
    expect([opened.data.opt, opened.data.staging].flatMap((place) => readdirSync(place))).toEqual([]);
  });

  it('never removes the code of a function that is being created', async () => {
    const attempts = Array.from({ length: 30 }, (_, i) => functions.create(SCOPE, functionDraft(`f${i}`)));
    for (let round = 0; round < 10; round += 1) await functions.collectGarbage(() => []);
    for (const { code } of await Promise.all(attempts)) {
      expect(existsSync(functions.contentPath(code.digest as never))).toBe(true);
      expect(existsSync(join(opened.data.trees, code.digest ?? ''))).toBe(true);
    }
  });
});
