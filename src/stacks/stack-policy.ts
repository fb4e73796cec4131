/**
 * Stack policies: which resources an update may modify, replace or delete. Where there is a policy, an action needs a
 * statement that allows it, and a statement that denies it wins. Creation, deletion of the stack and rollbacks are not
 * subject to it. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html
 */
import { createGlob, type Glob, globTokens } from '../protocol/glob.ts';
import { parseJson } from '../protocol/json.ts';
import { invalid } from './stack-error.ts';

export type UpdateAction = 'Update:Modify' | 'Update:Replace' | 'Update:Delete';

type Subject = { readonly logicalId: string; readonly type: string };

type Statement = {
  readonly isAllowed: boolean;
  readonly covers: (action: UpdateAction, subject: Subject) => boolean;
};

/** Why a policy does not let an update do this to a resource, in CloudFormation's words; undefined if it does. */
export type StackPolicy = (action: UpdateAction, subject: Subject) => string | undefined;

type Fields = Readonly<Record<string, unknown>>;

/** Reads a policy. `{}` allows everything, as on AWS. @throws StackError for an invalid one */
export function parseStackPolicy(text: string): StackPolicy {
  const policy = objectOf(parsed(text));
  if (Object.keys(policy).length === 0) return () => undefined;
  if (Object.keys(policy).some((name) => !['Statement', 'Version', 'Id'].includes(name))) throw refused();
  const given = Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement];
  const statements = given.map((statement) => parseStatement(objectOf(statement)));
  return (action, subject) => {
    const covering = statements.map(({ covers }) => covers(action, subject));
    const denials = statements.flatMap(({ isAllowed }, index) =>
      covering[index] && !isAllowed
        ? [`Statement [#${index + 1}] does not allow [${action}] for resource [${resourceOf(subject)}];`]
        : [],
    );
    if (denials.length > 0) return `Action denied by stack policy: ${denials.join(' ')}`;
    return covering.some(Boolean) ? undefined : 'Action not allowed by stack policy';
  };
}

function parseStatement(statement: Fields): Statement {
  const { Effect, Principal, Condition } = statement;
  if (Effect !== 'Allow' && Effect !== 'Deny') throw refused();
  // There are no policies for single users.
  if (Principal !== '*' && statement.NotPrincipal === undefined) throw refused();
  const isAction = parseChoice(statement, 'Action', /^(\*|Update:(\*|Modify|Replace|Delete))$/);
  const isResource = parseChoice(statement, 'Resource', /^(\*|LogicalResourceId\/.+)$/);
  const isType = parseCondition(Condition);
  return {
    isAllowed: Effect === 'Allow',
    covers: (action, subject) => isAction(action) && isResource(resourceOf(subject)) && isType(subject.type),
  };
}

/** `NAME` or `NotNAME`: a pattern or a list of them. */
function parseChoice(statement: Fields, name: 'Action' | 'Resource', form: RegExp): Glob {
  const isNegated = statement[`Not${name}`] !== undefined;
  if (isNegated && statement[name] !== undefined) throw refused();
  const globs = textsOf(statement[isNegated ? `Not${name}` : name]).map((text) => {
    if (!form.test(text)) throw refused();
    return createGlob(globTokens(text));
  });
  return (text) => globs.some((matches) => matches(text)) !== isNegated;
}

/** Types of resources, by `StringEquals` or `StringLike`. */
function parseCondition(condition: unknown): Glob {
  if (condition === undefined) return () => true;
  const tests = Object.entries(objectOf(condition)).map(([operator, operand]): Glob => {
    const { ResourceType, ...rest } = objectOf(operand);
    if (Object.keys(rest).length > 0) throw refused();
    const types = textsOf(ResourceType);
    switch (operator) {
      case 'StringEquals':
        return (type) => types.includes(type);
      case 'StringLike': {
        const globs = types.map((type) => createGlob(globTokens(type)));
        return (type) => globs.some((matches) => matches(type));
      }
      default:
        throw refused();
    }
  });
  return (type) => tests.every((holds) => holds(type));
}

function resourceOf({ logicalId }: Subject): string {
  return `LogicalResourceId/${logicalId}`;
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw refused();
  }
}

function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused();
  return value as Fields;
}

/** At least one text. */
function textsOf(value: unknown): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length === 0 || !all.every((item) => typeof item === 'string')) throw refused();
  return all as readonly string[];
}

function refused(): Error {
  return invalid('Error validating stack policy: Invalid stack policy');
}
