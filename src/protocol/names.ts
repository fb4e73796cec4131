/**
 * Names of Lambda's things: parse what a client sent, render what AWS would answer. The only place that knows what an
 * ARN looks like. Validation in AWS's words happens before this (`lambda-api/`); these functions only answer
 * `undefined` for what is not a name.
 */

type Brand<Base, Name extends string> = Base & { readonly __brand: Name };

export type RequestId = Brand<string, 'RequestId'>;
export type FunctionName = Brand<string, 'FunctionName'>;
export type LayerName = Brand<string, 'LayerName'>;
/** `$LATEST`, a published version's decimal number, or an alias. */
export type Qualifier = Brand<string, 'Qualifier'>;
/** A version as stored: `$LATEST` or a decimal number from 1. */
export type Version = '$LATEST' | `${number}`;
export type FunctionArn = Brand<string, 'FunctionArn'>;
export type LayerArn = Brand<string, 'LayerArn'>;
export type LayerVersionArn = Brand<string, 'LayerVersionArn'>;

/** Where a resource lives. Functions of different scopes do not see each other. */
export type Scope = { readonly region: string; readonly account: string };

/** What a client may write wherever the API says FunctionName: a name, a partial ARN or an ARN, maybe qualified. */
export type FunctionReference = {
  readonly region: string | undefined;
  readonly account: string | undefined;
  readonly name: FunctionName;
  readonly qualifier: Qualifier | undefined;
};

const FUNCTION_REFERENCE =
  /^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:((?:eusc-)?[a-z]{2}(?:(?:-gov)|(?:-iso[a-z]?))?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_.]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/;

/** Parses a function's name, partial ARN (`123456789012:function:name`) or ARN, each with or without a qualifier. */
export function parseFunctionReference(text: string): FunctionReference | undefined {
  const match = FUNCTION_REFERENCE.exec(text);
  if (!match) return undefined;
  return {
    region: match[1],
    account: match[2],
    name: match[3] as FunctionName,
    qualifier: match[4] as Qualifier | undefined,
  };
}

/** `arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]` */
export function renderFunctionArn(scope: Scope, name: string, qualifier?: string): FunctionArn {
  const arn = `arn:${partitionOf(scope.region)}:lambda:${scope.region}:${scope.account}:function:${name}`;
  return (qualifier === undefined ? arn : `${arn}:${qualifier}`) as FunctionArn;
}

export type LayerVersionReference = {
  readonly scope: Scope;
  readonly name: LayerName;
  readonly version: number;
};

const LAYER_VERSION_ARN = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+):(\d+)$/;
const LAYER_ARN = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)$/;

export function parseLayerVersionArn(text: string): LayerVersionReference | undefined {
  const match = LAYER_VERSION_ARN.exec(text);
  if (!match?.[1] || !match[2] || !match[3] || !match[4]) return undefined;
  const version = Number(match[4]);
  if (!Number.isSafeInteger(version)) return undefined;
  return { scope: { region: match[1], account: match[2] }, name: match[3] as LayerName, version };
}

/** Parses what the API calls LayerName: a bare name or a layer's ARN (without version). */
export function parseLayerName(
  text: string,
): { readonly scope: Scope | undefined; readonly name: LayerName } | undefined {
  const match = LAYER_ARN.exec(text);
  if (match?.[1] && match[2] && match[3]) {
    return { scope: { region: match[1], account: match[2] }, name: match[3] as LayerName };
  }
  return /^[a-zA-Z0-9-_]+$/.test(text) ? { scope: undefined, name: text as LayerName } : undefined;
}

export function renderLayerArn(scope: Scope, name: string): LayerArn {
  return `arn:${partitionOf(scope.region)}:lambda:${scope.region}:${scope.account}:layer:${name}` as LayerArn;
}

export function renderLayerVersionArn(scope: Scope, name: string, version: number): LayerVersionArn {
  return `${renderLayerArn(scope, name)}:${version}` as LayerVersionArn;
}

/** The ARN partition of a region: `aws`, `aws-cn`, `aws-us-gov` ... */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  if (region.startsWith('us-iso-')) return 'aws-iso';
  if (region.startsWith('us-isob-')) return 'aws-iso-b';
  if (region.startsWith('eusc-')) return 'aws-eusc';
  return 'aws';
}
