/** What `lamella dev` prints about the project: its addresses, changes and problems, for a person or a program. Pure. */
import colors from 'picocolors';
import type { DevEvent } from '../../dev/dev-session.ts';
import type { Endpoints } from '../../dev/endpoints.ts';
import { renderTemplateProblem } from '../template-problem.ts';

/** The template, for the lines around a problem. */
export type TemplateText = { readonly name: string; readonly text: string };

/** Problems that are shown at once. */
const MAX_PROBLEMS = 5;

export type DevEventForJson = { readonly type: string } & Readonly<Record<string, unknown>>;

/** Everything that can be called, one line each. */
export function renderEndpoints({ functions, routes, queues, schedules, others }: Endpoints): string {
  return [
    ...section(
      'Functions',
      functions.map(({ name, runtime, url }) => [name, runtime, url ?? `lamella invoke ${name} -d '{}'`]),
    ),
    ...section(
      'Routes',
      routes.map(({ route, url, target }) => [route, url, `-> ${target}`]),
    ),
    ...section(
      'Queues',
      queues.map(({ name, url, functions: consumers }) => [name, url, consumers.map((one) => `-> ${one}`).join(' ')]),
    ),
    ...section(
      'Schedules',
      schedules.map(({ name, expression, function: target }) => [name, expression, `-> ${target}`]),
    ),
    ...section(
      'Others',
      others.map(({ kind, name }) => [kind, name]),
    ),
  ].join('');
}

function section(title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [`  ${title}\n`, ...rows.map((cells) => `    ${line(cells)}\n`)];
}

/** What happened, as lines. `nowMs` is the time of day. */
export function renderDevEvent(event: DevEvent, epochMs: number, isColored: boolean, template?: TemplateText): string {
  const paint = isColored ? colors : colors.createColors(false);
  const head = `${paint.dim(new Date(epochMs).toTimeString().slice(0, 8))} ${paint.magenta('dev')}  `;
  if (event.kind === 'changed') {
    const { paths, functions } = event;
    const named = paths.length === 1 ? paths[0] : `${paths.length} files`;
    const whom = functions.length === 0 ? '' : `: the next invocation of ${functions.join(', ')} runs it`;
    return `${head}changed ${named}${whom}\n`;
  }
  if (event.kind === 'built') return `${head}built ${event.logicalId} in ${duration(event.ms)}\n`;
  if (event.kind === 'deployed') {
    const what = event.stack.isChanged ? 'deployed' : 'nothing to deploy';
    return `${head}${what} in ${duration(event.ms)}\n`;
  }
  const problems = event.problems.slice(0, MAX_PROBLEMS).map((problem) => {
    const text = renderTemplateProblem(problem, template?.name, template?.text);
    return `${paint.red('error:')} ${text}`;
  });
  const more = event.problems.length - problems.length;
  if (more > 0) problems.push(`... and ${more} more\n`);
  const kept = event.isFirst ? 'Nothing is deployed yet.' : 'What was deployed before stays.';
  return `${problems.join('')}${head}${kept} Waiting for a change.\n`;
}

/** The same as one JSON object. */
export function devEventForJson(event: DevEvent, epochMs: number, endpoints: Endpoints | undefined): DevEventForJson {
  const time = new Date(epochMs).toISOString();
  if (event.kind === 'changed') return { type: 'changed', time, paths: event.paths, functions: event.functions };
  if (event.kind === 'built') return { type: 'built', time, function: event.logicalId, ms: Math.round(event.ms) };
  if (event.kind === 'problems') return { type: 'problems', time, problems: event.problems };
  const { stack, ms } = event;
  return {
    type: 'deployed',
    time,
    ms: Math.round(ms),
    isChanged: stack.isChanged,
    outputs: stack.outputs,
    ...endpoints,
  };
}

/** `840 ms` or `12.3 s` */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
