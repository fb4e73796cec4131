/**
 * What a target of a rule receives: the event, a part of it, fixed text, or a template with values of the event. Pure.
 * The rules for templates are from recorded deliveries of AWS.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
 */

/** One of the three members, or none for the whole event. */
export type TargetInput = {
  readonly Input?: string | undefined;
  readonly InputPath?: string | undefined;
  readonly InputTransformer?:
    | { readonly InputPathsMap?: Readonly<Record<string, string>> | undefined; readonly InputTemplate: string }
    | undefined;
};

export type RuleOfInput = { readonly arn: string; readonly name: string; readonly ingestionTime: string };

type Event = Readonly<Record<string, unknown>>;

const PLACEHOLDER = /<([A-Za-z0-9_.-]+)>/g;
const PREDEFINED = [
  'aws.events.rule-arn',
  'aws.events.rule-name',
  'aws.events.event.ingestion-time',
  'aws.events.event',
  'aws.events.event.json',
];

/** The text for the target. Undefined if the template renders text that is not JSON: AWS does not deliver it. */
export function renderInput(target: TargetInput, event: Event, rule: RuleOfInput): string | undefined {
  if (target.Input !== undefined) return target.Input;
  if (target.InputPath !== undefined) return JSON.stringify(readPath(event, target.InputPath) ?? null);
  if (target.InputTransformer !== undefined) return renderTemplate(target.InputTransformer, event, rule);
  return JSON.stringify(event);
}

/** The first placeholder of a template that nothing defines. */
export function findUnknownPlaceholder({
  InputPathsMap = {},
  InputTemplate,
}: NonNullable<TargetInput['InputTransformer']>) {
  const names = [...InputTemplate.matchAll(PLACEHOLDER)].map(([, name]) => name as string);
  return names.find((name) => !Object.hasOwn(InputPathsMap, name) && !PREDEFINED.includes(name));
}

function renderTemplate(
  { InputPathsMap = {}, InputTemplate: template }: NonNullable<TargetInput['InputTransformer']>,
  event: Event,
  rule: RuleOfInput,
): string | undefined {
  const variable = (name: string): unknown => {
    switch (name) {
      case 'aws.events.rule-arn':
        return rule.arn;
      case 'aws.events.rule-name':
        return rule.name;
      case 'aws.events.event.ingestion-time':
        return rule.ingestionTime;
      case 'aws.events.event.json':
        return event;
      case 'aws.events.event': {
        const { detail: _, 'detail-type': detailType, ...rest } = event;
        return { ...rest, detailType };
      }
      default:
        return readPath(event, InputPathsMap[name] ?? '') ?? '';
    }
  };
  const isText = template.trimStart().startsWith('"');
  const quoted = quotedRanges(template);
  let isValid = true;
  const rendered = template.replace(PLACEHOLDER, (_, name: string, at: number) => {
    const value = variable(name);
    if (!quoted(at)) return JSON.stringify(value);
    if (typeof value === 'object' && !isText) isValid = false;
    return typeof value === 'string' ? JSON.stringify(value).slice(1, -1) : JSON.stringify(value).replaceAll('"', '');
  });
  return isValid && (isJson(rendered) || rendered.split('\n').every(isJson)) ? rendered : undefined;
}

/** Whether a position of a template is inside a JSON string. */
function quotedRanges(template: string): (at: number) => boolean {
  const quotes = [...template.matchAll(/\\.|"/g)].filter(([text]) => text === '"').map(({ index }) => index);
  return (at) => quotes.filter((quote) => quote < at).length % 2 === 1;
}

/**
 * The value at a JSON path such as `$.detail.items[0].name`. Undefined if there is none. Recursive descent and filters
 * are not part of EventBridge's paths.
 */
export function readPath(event: unknown, path: string): unknown {
  if (path === '$') return event;
  if (!path.startsWith('$')) return undefined;
  const steps = [...path.slice(1).matchAll(/\.([^.[\]]+)|\['([^']*)'\]|\[(\d+)\]/g)];
  if (steps.map(([text]) => text).join('') !== path.slice(1)) return undefined;
  let value = event;
  for (const [, name, quotedName, index] of steps) {
    const key = name ?? quotedName ?? index ?? '';
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
