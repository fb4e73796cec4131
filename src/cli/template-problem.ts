/** A problem of a template for a person: its place in the file, the lines there, the message, and a suggestion. */
import type { TemplateProblem } from '../template/template-error.ts';

type Shown = {
  readonly [Name in 'message' | 'place' | 'suggestion' | 'isWarning']?: TemplateProblem[Name] | undefined;
};

/** `text` is that of the file; without it no lines are shown. */
export function renderTemplateProblem(
  { message, place, suggestion, isWarning }: Shown,
  file: string | undefined,
  text: string | undefined,
): string {
  const name = file === undefined ? '' : `${file}:`;
  const where = place ? `${name}${place.line}:${place.column}: ` : `${name}${name === '' ? '' : ' '}`;
  const lines = [
    `${where}${isWarning ? 'warning: ' : ''}${message}`,
    ...(place && text !== undefined ? excerpt(text, place.line, place.column) : []),
  ];
  return `${lines.join('\n')}\n${suggestion === undefined ? '' : `      ${suggestion}\n`}`;
}

/** Maximum length of a line of an excerpt. */
const EXCERPT_CHARACTERS = 110;

/** The line before the problem, its line, and a mark below its column. */
function excerpt(text: string, line: number, column: number): string[] {
  const lines = text.split('\n', line).map((each) => each.replace(/\r$/, ''));
  const current = lines[line - 1] ?? '';
  const start = Math.max(0, column - EXCERPT_CHARACTERS);
  const shown = (content: string) => content.slice(start, start + EXCERPT_CHARACTERS);
  const before = lines[line - 2];
  return [
    ...(before === undefined ? [] : [`${String(line - 1).padStart(5)} | ${shown(before)}`]),
    `${String(line).padStart(5)} | ${shown(current)}`,
    `${' '.repeat(5)} | ${' '.repeat(Math.max(0, column - 1 - start))}^`,
  ];
}
