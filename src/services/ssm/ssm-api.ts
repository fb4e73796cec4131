/**
 * Systems Manager's Parameter Store: what functions read at run time, and what stacks and the AWS CDK create. The
 * responses are AWS's; a SecureString is stored as it is, and without `WithDecryption` its value is opaque text.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/
 */
import { createHash } from 'node:crypto';
import type { Log } from '../../log.ts';
import { isArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { SSM_OPERATIONS, SSM_QUOTAS, SSM_TARGET_PREFIX } from '../../protocol/ssm-operations.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createJsonApi, JsonError } from '../../wire/json-protocol.ts';
import { filterParameters, type ParameterFilter } from './parameter-filters.ts';
import {
  checkNewName,
  checkValue,
  invalid,
  notFound,
  parseSelector,
  type Selector,
  selectVersion,
} from './parameter-rules.ts';
import type { Parameter, ParameterDraft, ParameterStore } from './parameter-store.ts';
import { createTagHandlers } from './parameter-tags.ts';

export type SsmApiOptions = {
  readonly parameters: ParameterStore;
  /** The current text of a secret, for `/aws/reference/secretsmanager/NAME`. Undefined if there is none. */
  readonly secretOf: (scope: Scope, id: string) => string | undefined;
  readonly log: Log;
};

const SECRET_PREFIX = '/aws/reference/secretsmanager/';
const DEFAULT_KEY = 'alias/aws/ssm';
const BODY_LIMIT_BYTES = 1024 * 1024;

/** Creates the API of Parameter Store. */
export function createSsmApi({ parameters, secretOf, log }: SsmApiOptions): ServiceApi {
  const selected = (given: Selector): Parameter | undefined =>
    selectVersion(parameters.versions(given.scope, given.name), given);

  const readOne = (scope: Scope, text: string, isDecrypted: boolean): object | undefined => {
    if (text.startsWith(SECRET_PREFIX)) return readSecret(scope, text, isDecrypted);
    const selector = parseSelector(scope, text);
    // The ARNs of `name` and `/name` are the same.
    const parameter =
      selected(selector) ?? (isArn(text) ? selected({ ...selector, name: `/${selector.name}` }) : undefined);
    return parameter && renderParameter(parameter, isDecrypted, selector.selector);
  };

  const readSecret = (scope: Scope, name: string, isDecrypted: boolean): object | undefined => {
    if (!isDecrypted) throw invalid('WithDecryption flag must be True for retrieving a Secret Manager secret.');
    const value = secretOf(scope, name.slice(SECRET_PREFIX.length));
    return value === undefined
      ? undefined
      : { Name: name, Type: 'SecureString', Value: value, Version: 0, DataType: 'text', SourceResult: '{}' };
  };

  const requireLatest = (scope: Scope, name: string): Parameter => {
    const found = parameters.find(scope, name);
    if (found === undefined) throw notFound();
    return found;
  };

  return createJsonApi({
    name: 'Systems Manager',
    targetPrefix: SSM_TARGET_PREFIX,
    operations: SSM_OPERATIONS,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log,
    handlers: {
      PutParameter({ Name: name, Overwrite = false, Tags = [], ...given }, { scope }) {
        const known = parameters.find(scope, name);
        if (known === undefined) checkNewName(name);
        if (Overwrite && Tags.length > 0) {
          throw invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
          );
        }
        if (Tags.length > SSM_QUOTAS.tags) throw new JsonError('TooManyTagsError', 'Number of tags exceeded.');
        if (known !== undefined && !Overwrite) {
          const message =
            'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.';
          throw new JsonError('ParameterAlreadyExists', message);
        }
        const draft = draftOf(given, known);
        checkValue(draft);
        const { version, tier } = parameters.put(scope, name, draft);
        if (Tags.length > 0) {
          parameters.setTags(scope, name, Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])));
        }
        return { Version: version, Tier: tier };
      },

      GetParameter({ Name: name, WithDecryption = false }, { scope }) {
        const parameter = readOne(scope, name, WithDecryption);
        if (parameter === undefined) throw notFound();
        return { Parameter: parameter };
      },

      GetParameters({ Names: names, WithDecryption = false }, { scope }) {
        if (new Set(names).size < names.length) throw invalid('Duplicate names are not allowed.');
        const found = names.map((name) => [name, readable(() => readOne(scope, name, WithDecryption))] as const);
        return {
          Parameters: found.flatMap(([, parameter]) => parameter ?? []),
          InvalidParameters: found.filter(([, parameter]) => parameter === undefined).map(([name]) => name),
        };
      },

      GetParametersByPath(
        { Path: path, Recursive = false, ParameterFilters, WithDecryption = false, ...page },
        { scope },
      ) {
        if (!path.startsWith('/')) {
          throw invalid(
            `The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`,
          );
        }
        const prefix = path.endsWith('/') ? path : `${path}/`;
        const isBelow = ({ name }: Parameter) => Recursive || !name.slice(prefix.length).includes('/');
        const kept = filterParameters(ParameterFilters ?? [], tagsOf(scope), ['Type', 'KeyId', 'Label']);
        const found = pageOf(scope, prefix, page, 10, (parameter) => isBelow(parameter) && kept(parameter));
        return {
          Parameters: found.items.map((parameter) => renderParameter(parameter, WithDecryption)),
          NextToken: found.nextToken,
        };
      },

      GetParameterHistory({ Name: name, WithDecryption = false, MaxResults = 50, NextToken }, { scope }) {
        requireLatest(scope, name);
        const start = NextToken === undefined ? 0 : Number(parseToken(NextToken));
        const versions = parameters.versions(scope, name).filter(({ version }) => version > start);
        const items = versions.slice(0, MaxResults);
        return {
          Parameters: items.map((version) => ({
            ...renderMetadata(version),
            ARN: undefined,
            Value: shownValue(version, WithDecryption),
            Labels: version.labels,
          })),
          NextToken: items.length < versions.length ? renderToken(String(items.at(-1)?.version)) : undefined,
        };
      },

      DeleteParameter({ Name: name }, { scope }) {
        if (!parameters.remove(scope, parseSelector(scope, name).name)) throw notFound();
        return {};
      },

      DeleteParameters({ Names: names }, { scope }) {
        const deleted = names.filter((name) => parameters.remove(scope, parseSelector(scope, name).name));
        return { DeletedParameters: deleted, InvalidParameters: names.filter((name) => !deleted.includes(name)) };
      },

      DescribeParameters({ Filters = [], ParameterFilters = [], ...page }, { scope }) {
        if (Filters.length > 0 && ParameterFilters.length > 0) {
          throw invalid('You can use either Filters or ParameterFilters in a single request.');
        }
        const all: readonly ParameterFilter[] = [
          ...ParameterFilters,
          // The older kind compares the start of a name.
          ...Filters.map(({ Key, Values }) => ({ Key, Values, Option: Key === 'Name' ? 'BeginsWith' : 'Equals' })),
        ];
        const kept = filterParameters(all, tagsOf(scope), [
          'Name',
          'Type',
          'KeyId',
          'Path',
          'Label',
          'Tier',
          'DataType',
        ]);
        const { items, nextToken } = pageOf(scope, '', page, 50, kept);
        return { Parameters: items.map(renderMetadata), NextToken: nextToken };
      },

      LabelParameterVersion({ Name: name, ParameterVersion, Labels: labels }, { scope }) {
        const version = selected({
          scope,
          name,
          selector: ParameterVersion === undefined ? undefined : `:${ParameterVersion}`,
        });
        if (version === undefined) throw notFound();
        const bad = labels.filter((label) => !/^[a-zA-Z_][\w.-]*$/.test(label) || /^(aws|ssm)/i.test(label));
        const good = labels.filter((label) => !bad.includes(label));
        if (new Set([...version.labels, ...good]).size > SSM_QUOTAS.labelsPerVersion) {
          const message = `An error occurred (ParameterVersionLabelLimitExceeded) when calling the LabelParameterVersion operation: A parameter version can have maximum ${SSM_QUOTAS.labelsPerVersion} labels.Move one or more labels to another version and try again.`;
          throw new JsonError('ParameterVersionLabelLimitExceeded', message);
        }
        // A label is on one version at a time.
        for (const other of parameters.versions(scope, name)) {
          const left = other.labels.filter((label) => !good.includes(label));
          if (left.length < other.labels.length) parameters.setLabels(other, left);
        }
        parameters.setLabels(version, [...new Set([...version.labels, ...good])]);
        return { InvalidLabels: bad, ParameterVersion: version.version };
      },

      UnlabelParameterVersion({ Name: name, ParameterVersion, Labels: labels }, { scope }) {
        const version = selected({ scope, name, selector: `:${ParameterVersion}` });
        if (version === undefined) throw notFound();
        const removed = labels.filter((label) => version.labels.includes(label));
        parameters.setLabels(
          version,
          version.labels.filter((label) => !removed.includes(label)),
        );
        return { RemovedLabels: removed, InvalidLabels: labels.filter((label) => !removed.includes(label)) };
      },

      ...createTagHandlers(parameters),
    },
  });

  function tagsOf(scope: Scope) {
    return ({ name }: Parameter) => parameters.tags(scope, name);
  }

  function pageOf(
    scope: Scope,
    prefix: string,
    { MaxResults, NextToken }: { readonly MaxResults?: number | undefined; readonly NextToken?: string | undefined },
    size: number,
    isKept: (parameter: Parameter) => boolean,
  ): { readonly items: readonly Parameter[]; readonly nextToken: string | undefined } {
    const count = MaxResults ?? size;
    const items: Parameter[] = [];
    for (const parameter of parameters.list(scope, prefix, NextToken === undefined ? '' : parseToken(NextToken))) {
      if (!isKept(parameter)) continue;
      if (items.length === count) return { items, nextToken: renderToken(items.at(-1)?.name ?? '') };
      items.push(parameter);
    }
    return { items, nextToken: undefined };
  }
}

type Given = {
  readonly Value: string;
  readonly Type?: string | undefined;
  readonly Tier?: string | undefined;
  readonly DataType?: string | undefined;
  readonly KeyId?: string | undefined;
  readonly Description?: string | undefined;
  readonly AllowedPattern?: string | undefined;
  readonly Policies?: string | undefined;
};

/** A new version keeps what the request does not name. @throws JsonError */
function draftOf(given: Given, known: Parameter | undefined): ParameterDraft {
  const type = (given.Type as ParameterDraft['type'] | undefined) ?? known?.type;
  if (type === undefined) throw invalid('A parameter type is required when you create a parameter.');
  if (given.KeyId !== undefined && type !== 'SecureString') {
    throw invalid('KeyId is required for SecureString type parameter only.');
  }
  const isLarge = Buffer.byteLength(given.Value) > SSM_QUOTAS.standardValueBytes;
  const asked = given.Tier ?? known?.tier ?? 'Standard';
  const tier = asked === 'Intelligent-Tiering' ? (isLarge || given.Policies ? 'Advanced' : 'Standard') : asked;
  if (known?.tier === 'Advanced' && tier === 'Standard') {
    throw invalid(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    );
  }
  return {
    value: given.Value,
    type,
    tier: tier as ParameterDraft['tier'],
    dataType: given.DataType ?? known?.dataType ?? 'text',
    keyId: type === 'SecureString' ? (given.KeyId ?? known?.keyId ?? DEFAULT_KEY) : undefined,
    description: given.Description ?? known?.description,
    allowedPattern: given.AllowedPattern ?? known?.allowedPattern,
    policies: given.Policies ?? known?.policies,
  };
}

function renderParameter(parameter: Parameter, isDecrypted: boolean, selector?: string): object {
  return {
    Name: parameter.name,
    Type: parameter.type,
    Value: shownValue(parameter, isDecrypted),
    Version: parameter.version,
    Selector: selector,
    LastModifiedDate: parameter.modifiedMs / 1000,
    ARN: parameter.arn,
    DataType: parameter.dataType,
  };
}

function renderMetadata(parameter: Parameter): object {
  return {
    Name: parameter.name,
    ARN: parameter.arn,
    Type: parameter.type,
    KeyId: parameter.keyId,
    LastModifiedDate: parameter.modifiedMs / 1000,
    Description: parameter.description,
    AllowedPattern: parameter.allowedPattern,
    Version: parameter.version,
    Tier: parameter.tier,
    Policies: parameter.policies === undefined ? [] : [{ PolicyText: parameter.policies, PolicyStatus: 'Pending' }],
    DataType: parameter.dataType,
  };
}

/** Ciphertext stands for the value of a SecureString. Nothing can decrypt it. */
function shownValue({ type, value, arn, version }: Parameter, isDecrypted: boolean): string {
  if (type !== 'SecureString' || isDecrypted) return value;
  return createHash('sha512').update(`${arn}:${version}:${value}`).digest('base64');
}

/** A version that does not exist counts as an invalid name. */
function readable(read: () => object | undefined): object | undefined {
  try {
    return read();
  } catch (failure) {
    if (failure instanceof JsonError && failure.code === 'ParameterVersionNotFound') return undefined;
    throw failure;
  }
}

function renderToken(name: string): string {
  return Buffer.from(name).toString('base64url');
}

function parseToken(token: string): string {
  return Buffer.from(token, 'base64url').toString('utf8');
}
