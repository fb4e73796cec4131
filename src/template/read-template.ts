/**
 * A template's text as a tree, with the place of every node. A text that starts with `{` is JSON, any other is YAML.
 * What the sections may hold is not checked here (`check-template.ts`).
 */
import { type Place, type PlaceNode, Places } from './places.ts';
import { readJson } from './read-json.ts';
import { type OctalScalar, type ReadYaml, readInSteps, YamlFailure } from './read-yaml.ts';
import { TemplateError, type TemplateProblem } from './template-error.ts';
import { MAX_TEMPLATE_BYTES } from './template-limits.ts';
import { isObject, type JsonObject } from './tree.ts';

export type ReadTemplate = {
  readonly body: JsonObject;
  readonly places: Places;
  readonly format: 'yaml' | 'json';
  /** What CloudFormation may read in another way. */
  readonly warnings: readonly TemplateProblem[];
};

export type ReadOptions = {
  /** Stands in the places of problems. */
  readonly fileName?: string;
  /**
   * CloudFormation refuses YAML aliases; the deployment tools resolve them before they send a template. Defaults to
   * `expand`; the CloudFormation API refuses.
   */
  readonly aliases?: 'expand' | 'refuse';
  /**
   * What a repeated key of a YAML map means. CloudFormation takes the last one, as published templates that have them show.
   * Defaults to `refuse`: it is hardly ever what the author wants.
   */
  readonly duplicateKeys?: 'refuse' | 'last';
};

/** @throws TemplateError with CloudFormation's message and the place of the error */
export function readTemplate(text: string, options: ReadOptions = {}): ReadTemplate {
  const steps = readTemplateInSteps(text, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Reads a part of the template with each step, so that a service can do other work between them. @throws TemplateError */
export function* readTemplateInSteps(text: string, options: ReadOptions = {}): Generator<void, ReadTemplate> {
  if (Buffer.byteLength(text) > MAX_TEMPLATE_BYTES) {
    throw new TemplateError({
      message: `Template may not exceed ${MAX_TEMPLATE_BYTES} bytes in size.`,
      suggestion: 'Split the template into nested stacks.',
    });
  }
  const content = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (content.trimStart().startsWith('{')) return fromJson(content, options);
  return yield* fromYaml(content, options);
}

function fromJson(text: string, { fileName }: ReadOptions): ReadTemplate {
  const read = readJson(text);
  if ('error' in read) {
    const { line, column, message } = read.error;
    const place = { ...(fileName !== undefined && { file: fileName }), line, column: column + columnsBehind(message) };
    throw new TemplateError(notWellFormed('JSON', place, message));
  }
  if ('reason' in read) {
    const place = new Places(text, { key: 0, value: 0 }, fileName).at(read.offset);
    throw new TemplateError(notWellFormed('JSON', place, read.reason));
  }
  return { ...asTemplate(read, text, fileName), format: 'json', warnings: [] };
}

/** CloudFormation's older Jackson gives the place behind an unexpected character, Lambda's the character's own. */
function columnsBehind(message: string): number {
  return message.startsWith('Unexpected character') ? 1 : 0;
}

function* fromYaml(
  text: string,
  { fileName, aliases = 'expand', duplicateKeys = 'refuse' }: ReadOptions,
): Generator<void, ReadTemplate> {
  try {
    const read: ReadYaml = yield* readInSteps(text, aliases);
    if (read.duplicates.length > 0 && duplicateKeys === 'refuse') throw new YamlFailure(read.duplicates);
    const template = asTemplate(read, text, fileName);
    return { ...template, format: 'yaml', warnings: read.octals.map((octal) => octalWarning(octal, template.places)) };
  } catch (failure) {
    if (!(failure instanceof YamlFailure)) throw failure;
    const places = new Places(text, { key: 0, value: 0 }, fileName);
    const problems = failure.problems.map(({ reason, offset }) =>
      failure.kind === 'alias' ? aliasProblem(places.at(offset)) : notWellFormed('YAML', places.at(offset), reason),
    );
    throw TemplateError.of(problems[0]?.message ?? '', problems);
  }
}

function octalWarning({ text, offset }: OctalScalar, places: Places): TemplateProblem {
  return {
    message: `${text} begins with a zero. Lamella reads it as text; YAML 1.1 readers read it as the octal number ${Number.parseInt(text, 8)}.`,
    place: places.at(offset),
    suggestion: `Write "${text}" in quotes.`,
    isWarning: true,
  };
}

function aliasProblem(place: Place): TemplateProblem {
  return {
    message: 'Template error: YAML aliases are not allowed in CloudFormation templates',
    place,
    suggestion: 'Resolve them first: aws cloudformation package and sam package do.',
  };
}

function notWellFormed(format: 'JSON' | 'YAML', place: Place, reason: string): TemplateProblem {
  return {
    message: `Template format error: ${format} not well-formed. (line ${place.line}, column ${place.column})`,
    place,
    suggestion: `${reason}.`,
  };
}

function asTemplate(read: { value: unknown; place: PlaceNode }, text: string, fileName: string | undefined) {
  const places = new Places(text, read.place, fileName);
  const body = read.value as JsonObject;
  if (!isObject(body)) {
    throw new TemplateError({
      message: 'Template format error: unsupported structure.',
      place: places.at(0),
      suggestion: 'A template is a map with a section Resources.',
    });
  }
  return { body, places };
}
