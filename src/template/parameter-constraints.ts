/**
 * The constraints that a template puts on the values of a parameter, with CloudFormation's texts.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
 */
import { createContext, Script } from 'node:vm';
import { RE2JS } from 're2js';
import { type JsonObject, member, numberText } from './tree.ts';

/** How long a pattern that needs backtracking may run. A pattern that does not has no limit: it takes linear time. */
const PATTERN_TIMEOUT_MS = 200;

/** Why the value does not satisfy the declaration; undefined if it does. For lists, pass each item. */
export function violatedConstraint(name: string, declaration: JsonObject, value: string): string | undefined {
  const message = violation(name, declaration, value);
  const description = member(declaration, 'ConstraintDescription');
  if (message === undefined || typeof description !== 'string') return message;
  return `Parameter ${name} failed to satisfy constraint: ${description}`;
}

function violation(name: string, declaration: JsonObject, value: string): string | undefined {
  const allowed = member(declaration, 'AllowedValues');
  if (Array.isArray(allowed) && !allowed.some((_, index) => textAt(allowed, index) === value)) {
    return `Parameter '${name}' must be one of AllowedValues`;
  }
  const pattern = member(declaration, 'AllowedPattern');
  if (typeof pattern === 'string' && !matches(pattern, value)) {
    return `Parameter '${name}' must match pattern ${pattern}`;
  }
  const limit = (key: string) => {
    const text = Object.hasOwn(declaration, key) ? textAt(declaration, key) : undefined;
    return text === undefined || text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
  };
  const [minLength, maxLength, minValue, maxValue] = ['MinLength', 'MaxLength', 'MinValue', 'MaxValue'].map(limit);
  if (minLength !== undefined && value.length < minLength) {
    return `Parameter '${name}' must contain at least ${minLength} characters`;
  }
  if (maxLength !== undefined && value.length > maxLength) {
    return `Parameter '${name}' must contain at most ${maxLength} characters`;
  }
  if (minValue !== undefined && Number(value) < minValue) {
    return `Parameter '${name}' must be a number not less than ${minValue}`;
  }
  if (maxValue !== undefined && Number(value) > maxValue) {
    return `Parameter '${name}' must be a number not greater than ${maxValue}`;
  }
  return undefined;
}

function textAt(holder: Parameters<typeof numberText>[0], key: string | number): string {
  return numberText(holder, key) ?? String((holder as Record<string | number, unknown>)[key]);
}

/** Whether the whole value matches. Lookaround and back references, which RE2 does not have, run with a timeout. */
export function matches(pattern: string, value: string): boolean {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch {
    return matchesByBacktracking(pattern, value);
  }
  return compiled.matches(value);
}

function matchesByBacktracking(pattern: string, value: string): boolean {
  try {
    const script = new Script('new RegExp(pattern, "u").test(value)');
    const context = createContext({ pattern: `^(?:${pattern})$`, value });
    return script.runInContext(context, { timeout: PATTERN_TIMEOUT_MS }) === true;
  } catch {
    return false;
  }
}
