import { describe, expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../../test/support/cpu-growth.ts';
import type { OperationName } from '../../protocol/operations.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import { parseInput, type RawInput } from './parse-input.ts';

const CREATE = { FunctionName: 'f', Role: 'arn:aws:iam::123456789012:role/r', Code: { ZipFile: 'aGk=' } };

function raw(parts: Partial<Omit<RawInput, 'body'>> & { body?: unknown }): RawInput {
  const body = Buffer.isBuffer(parts.body) ? parts.body : Buffer.from(JSON.stringify(parts.body ?? {}));
  return { pathParameters: {}, query: new URLSearchParams(), headers: {}, ...parts, body };
}

function refusal(operation: OperationName, parts: Parameters<typeof raw>[0]): { code: string; message: string } {
  try {
    parseInput(operation, raw(parts));
  } catch (failure) {
    if (failure instanceof ServiceError) return { code: failure.code, message: failure.message };
    throw failure;
  }
  throw new Error('the input was accepted');
}

describe('parsing an input', () => {
  it("collects members from path, query, headers and body, in the model's types", () => {
    expect(
      parseInput(
        'GetLayerVersion',
        raw({ pathParameters: { LayerName: 'my-layer', VersionNumber: '12' }, body: Buffer.alloc(0) }),
      ),
    ).toEqual({ LayerName: 'my-layer', VersionNumber: 12 });
    expect(
      parseInput(
        'Invoke',
        raw({
          pathParameters: { FunctionName: 'f' },
          query: new URLSearchParams('Qualifier=%24LATEST'),
          headers: { 'x-amz-log-type': 'Tail' },
        }),
      ),
    ).toMatchObject({ FunctionName: 'f', Qualifier: '$LATEST', LogType: 'Tail' });
    expect(
      parseInput(
        'UntagResource',
        raw({
          pathParameters: { Resource: 'arn:aws:lambda:us-east-1:123456789012:function:f' },
          query: new URLSearchParams('tagKeys=a&tagKeys=b'),
        }),
      ).TagKeys,
    ).toEqual(['a', 'b']);
    expect(parseInput('CreateFunction', raw({ body: CREATE })).Code.ZipFile).toEqual(Buffer.from('hi'));
  });

  it('ignores unknown members and treats null as absent', () => {
    expect(parseInput('CreateFunction', raw({ body: { ...CREATE, Nonsense: 1, Timeout: null } }))).not.toHaveProperty(
      'Timeout',
    );
  });

  it('treats __proto__ as an ordinary key', () => {
    const body = Buffer.from(`{"Tags":{"__proto__":"x"}}`);
    const input = parseInput(
      'TagResource',
      raw({ pathParameters: { Resource: 'arn:aws:lambda:us-east-1:123456789012:function:f' }, body }),
    );
    expect(Object.keys(input.Tags)).toEqual(['__proto__']);
  });

  it.each([
    [{ ...CREATE, Timeout: 'ten' }, 'class java.lang.String can not be converted to an Integer'],
    [{ ...CREATE, Handler: true }, 'class java.lang.Boolean can not be converted to an String'],
    [
      { ...CREATE, Environment: { Variables: { AB: 1 } } },
      'class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String',
    ],
    [{ ...CREATE, Description: ['x'] }, 'Start of list found where not expected'],
    [{ ...CREATE, Description: {} }, 'Start of structure or map found where not expected.'],
    [{ ...CREATE, Layers: {} }, 'Start of structure or map found where not expected.'],
    [{ ...CREATE, Code: { ZipFile: '%%%' } }, 'A blob of the request is not valid base64'],
  ])('refuses a wrong type: %j', (body, message) => {
    expect(refusal('CreateFunction', { body })).toEqual({ code: 'SerializationException', message });
  });

  it('refuses a body that is not JSON and names the position', () => {
    const { code, message } = refusal('CreateFunction', { body: Buffer.from('{"FunctionName": f}') });
    expect(code).toBe('SerializationException');
    expect(message).toContain("Could not parse request body into json: Unrecognized token 'f'");
    expect(message).toContain('line: 1, column: 20');
  });
});

// The messages in this block were recorded on AWS (2025-11).
describe('constraint violations', () => {
  const violation = (operation: OperationName, parts: Parameters<typeof raw>[0]) => {
    const { code, message } = refusal(operation, parts);
    expect(code).toBe('ValidationException');
    return message;
  };

  it('name the pattern', () => {
    expect(violation('CreateFunction', { body: { ...CREATE, Role: 'r1' } })).toBe(
      "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
    );
    expect(violation('Invoke', { pathParameters: { FunctionName: '*' } })).toBe(
      "1 validation error detected: Value '*' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    );
    expect(
      violation('GetFunction', {
        pathParameters: { FunctionName: 'f' },
        query: new URLSearchParams('Qualifier=invalid!'),
      }),
    ).toBe(
      "1 validation error detected: Value 'invalid!' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+",
    );
  });

  it('name lengths, ranges and enumerations', () => {
    expect(violation('CreateFunction', { body: { ...CREATE, Architectures: ['x86_64', 'arm64'] } })).toBe(
      "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1",
    );
    expect(
      violation('PutProvisionedConcurrencyConfig', {
        pathParameters: { FunctionName: 'f' },
        query: new URLSearchParams('Qualifier=1'),
        body: { ProvisionedConcurrentExecutions: 0 },
      }),
    ).toBe(
      "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 1",
    );
    expect(violation('ListFunctions', { query: new URLSearchParams('FunctionVersion=invalid') })).toBe(
      "1 validation error detected: Value 'invalid' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum value set: [ALL]",
    );
    expect(violation('CreateFunction', { body: { ...CREATE, SnapStart: { ApplyOn: 'invalidOption' } } })).toBe(
      "1 validation error detected: Value 'invalidOption' at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy enum value set: [PublishedVersions, None]",
    );
  });

  it('name every constraint of a list when an item breaks one', () => {
    expect(violation('CreateFunction', { body: { ...CREATE, Architectures: ['X86_64'] } })).toBe(
      "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
    );
    const layer = 'arn:aws:lambda:us-east-1:111111111111:layer:resource';
    expect(violation('CreateFunction', { body: { ...CREATE, Layers: [layer] } })).toBe(
      `1 validation error detected: Value '[${layer}]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), Member must not be null]`,
    );
    expect(violation('CreateFunction', { body: { ...CREATE, VpcConfig: { SubnetIds: ['bad'] } } })).toBe(
      "1 validation error detected: Value '[bad]' at 'vpcConfig.subnetIds' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: subnet-[0-9a-z]*]",
    );
  });

  it('name keys and values of a map', () => {
    const alias = (weights: Record<string, number>) =>
      violation('CreateAlias', {
        pathParameters: { FunctionName: 'f' },
        body: { Name: 'a', FunctionVersion: '1', RoutingConfig: { AdditionalVersionWeights: weights } },
      });
    expect(alias({ 2: 2 })).toBe(
      "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
    );
    expect(alias({ $LATEST: 0.5 })).toBe(
      "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]",
    );
  });

  it('omit secret values', () => {
    expect(violation('CreateFunction', { body: { ...CREATE, Environment: { Variables: { _A: 'secret' } } } })).toBe(
      "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
    );
  });

  it('name a missing member', () => {
    expect(
      violation('UntagResource', { pathParameters: { Resource: 'arn:aws:lambda:us-east-1:123456789012:function:f' } }),
    ).toBe(
      "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
    );
  });

  it('are reported together', () => {
    const body = {
      Content: { ZipFile: '' },
      CompatibleRuntimes: ['invalidruntime'],
      CompatibleArchitectures: ['invalidarch'],
    };
    const message = violation('PublishLayerVersion', { pathParameters: { LayerName: 'l' }, body });
    expect(message).toMatch(
      /^2 validation errors detected: Value '\[invalidruntime\]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: \[nodejs20\.x, python3\.14, provided\.al2023, .*\]; Value '\[invalidarch\]' at 'compatibleArchitectures' failed to satisfy constraint: Member must satisfy constraint: \[Member must satisfy enum value set: \[x86_64, arm64\], Member must not be null\]$/,
    );
  });

  it('are found in values that are far too long in time in proportion to their length', async () => {
    const violate = (length: number) => {
      const Endpoints = { KAFKA_BOOTSTRAP_SERVERS: ['a'.repeat(length)] };
      const body = { FunctionName: 'f', SelfManagedEventSource: { Endpoints } };
      return () => violation('CreateEventSourceMapping', { body });
    };
    expect(await cpuGrowth(violate, 100_000)).toBeLessThan(LINEAR);
  });
});
