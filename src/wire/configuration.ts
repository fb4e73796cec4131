/**
 * Validates configuration that people write in JSON, such as gateways and schedules. Schemas are valibot's. An error
 * names the member by its path, says what it must be, and shows what was given.
 * https://valibot.dev/
 */
import * as v from 'valibot';

/** Invalid configuration. The message is for the user. */
export class ConfigurationError extends Error {
  /** Where the error is: `cors.maxAgeSeconds`, `routes[0].function`. Empty for the whole input. */
  readonly path: string;
  /** What is wrong there, as the rest of a sentence: `must be true or false, not "yes"`. */
  readonly reason: string;

  constructor(message: string, path = '', reason = message) {
    super(message);
    this.name = 'ConfigurationError';
    this.path = path;
    this.reason = reason;
  }
}

/**
 * Validates `input`. `subject` names the whole input in errors: `A gateway`. @throws ConfigurationError for the first
 * unsupported member, or else for the first invalid one
 */
export function parseConfiguration<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  subject: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  // A misspelled member is often also a missing one. The misspelling is the better message.
  const issue = result.issues.find(isUnsupported) ?? result.issues[0];
  const path = renderPath(issue);
  throw new ConfigurationError(`${path === '' ? subject : path} ${issue.message}.`, path, issue.message);
}

/** An object with these members and no others. Messages quote the members of `example`. */
export function members<Entries extends v.ObjectEntries>(example: object, entries: Entries) {
  return v.strictObject(entries, (issue) => {
    if (isUnsupported(issue)) return `is not supported. Supported members: ${Object.keys(entries).join(', ')}`;
    const missing = issue.path?.at(-1)?.key;
    const value = (example as Readonly<Record<string, unknown>>)[String(missing)];
    return missing === undefined ? mustBeLike(example) : `is required${value === undefined ? '' : `, ${like(value)}`}`;
  });
}

/** Refuses everything but an object, also arrays, before `schema` looks at the members. */
export function objectOf<Schema extends v.GenericSchema<Record<string, unknown>>>(example: object, schema: Schema) {
  return v.pipe(v.custom<v.InferInput<Schema>>(isPlainObject, mustBeLike(example)), schema);
}

export const text = v.string((issue) => `must be a string, not ${show(issue.input)}`);
export const texts = v.array(text, (issue) => `must be an array of strings, not ${show(issue.input)}`);
export const flag = v.boolean((issue) => `must be true or false, not ${show(issue.input)}`);

export function wholeNumber(least: number, most: number) {
  const message = ({ input }: { readonly input: unknown }) =>
    `must be a whole number from ${least} to ${most}, not ${show(input)}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

export function oneOf<const Values extends readonly string[]>(values: Values) {
  const alternatives = values.map((value) => JSON.stringify(value));
  const listed = `${alternatives.slice(0, -1).join(', ')} or ${alternatives.at(-1)}`;
  return v.picklist(values, ({ input }) => `must be ${listed}, not ${show(input)}`);
}

/** A string that matches. `what` completes "must be". */
export function textLike(pattern: RegExp, what: string) {
  return v.pipe(
    text,
    v.regex(pattern, ({ input }) => `must be ${what}, not ${show(input)}`),
  );
}

/** Passes a value through a parser that returns the reason for an invalid one as a string. */
export function parsed<Input, Output extends object>(parse: (input: Input) => Output | string) {
  return v.rawTransform<Input, Output>(({ dataset, addIssue, NEVER }) => {
    const output = parse(dataset.value);
    if (typeof output !== 'string') return output;
    addIssue({ message: output });
    return NEVER;
  });
}

/** A value as JSON, for an error message. */
export function show(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 80 ? `${json.slice(0, 80)}...` : json;
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isUnsupported({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' && expected === 'never';
}

function mustBeLike(example: unknown): string {
  return `must be an object, ${like(example)}`;
}

function like(example: unknown): string {
  return `such as ${JSON.stringify(example)}`;
}

function renderPath({ path }: v.BaseIssue<unknown>): string {
  const steps = (path ?? []).map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`));
  return steps.join('').replace(/^\./, '');
}
