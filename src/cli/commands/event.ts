/**
 * `lamella event SERVICE TYPE [--field value]`: writes an example of an event, for `lamella invoke -d @-` and for tests. The
 * fields of an event are flags, so this command parses its own arguments.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import type { Run } from '../command.ts';
import type { EventType } from '../events/event-type.ts';
import { buildEvent, EVENT_TYPES } from '../events/event-types.ts';
import { printStatus, writeJson, writeResult } from '../output.ts';

export const run: Run = async ({ args, given }) => {
  const [service, type, ...rest] = args;
  if (service === undefined) return list(EVENT_TYPES, given.json === true);
  const ofService = EVENT_TYPES.filter((row) => row.service === service);
  if (ofService.length === 0) throw unknown('service', service, [...new Set(EVENT_TYPES.map((row) => row.service))]);
  if (type === undefined) return list(ofService, given.json === true);
  if (type.startsWith('-')) return list(ofService, type === '--json');
  const row = ofService.find((candidate) => candidate.type === type);
  if (row === undefined)
    throw unknown(
      `type of ${service}`,
      type,
      ofService.map((candidate) => candidate.type),
    );
  const { help, json, save, ...fields } = parseFields(row, rest);
  if (help) {
    await writeResult(helpOf(row));
    return 0;
  }
  const event = buildEvent(row, fields as Record<string, string>);
  const text = `${JSON.stringify(event, undefined, json || given.json ? undefined : 2)}\n`;
  if (typeof save !== 'string') await writeResult(text);
  else {
    try {
      writeFileSync(save, text);
    } catch (failure) {
      throw new OperatorError('file-unwritable', { file: save, reason: (failure as Error).message }, failure);
    }
    printStatus(`Saved ${save}. Use it with: lamella invoke FUNCTION -e ${save}`);
  }
  return 0;
};

function parseFields(row: EventType, args: readonly string[]): Record<string, unknown> {
  const fields = Object.keys(row.fields).map((name) => [name, { type: 'string' as const }]);
  const options = {
    ...Object.fromEntries(fields),
    save: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const command = `event ${row.service} ${row.type}`;
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (failure) {
    const name = /'--?([\w-]+)/.exec((failure as Error).message)?.[1] ?? '';
    const known = [...Object.keys(row.fields), 'save', 'json'];
    const isUnknown = (failure as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    if (!isUnknown) throw new OperatorError('usage', { reason: (failure as Error).message, command }, failure);
    const nearest = nearestOf(name, known);
    const hint =
      nearest === undefined
        ? `Fields: ${known.map((field) => `--${field}`).join(', ')}.`
        : `Did you mean --${nearest}?`;
    throw new OperatorError(
      'usage',
      { reason: `${row.service} ${row.type} has no field --${name}. ${hint}`, command },
      failure,
    );
  }
}

function unknown(what: string, given: string, known: readonly string[]): OperatorError {
  const nearest = nearestOf(given, known);
  const hint = nearest === undefined ? `Known: ${known.join(', ')}.` : `Did you mean ${nearest}?`;
  return new OperatorError('usage', { reason: `Unknown ${what} "${given}". ${hint}`, command: 'event' });
}

async function list(rows: readonly EventType[], isJson: boolean): Promise<number> {
  if (isJson) {
    await writeJson({ events: rows.map(({ service, type, summary, fields }) => ({ service, type, summary, fields })) });
    return 0;
  }
  const names = rows.map(({ service, type }) => `${service} ${type}`);
  const width = Math.max(...names.map((name) => name.length));
  await writeResult(rows.map(({ summary }, at) => `${(names[at] ?? '').padEnd(width)}  ${summary}\n`).join(''));
  return 0;
}

function helpOf({ service, type, summary, fields }: EventType): string {
  const rows = [
    ...Object.entries(fields).map(([name, fallback]) => [`--${name} <value>`, `default: ${fallback}`]),
    ['--save <file>', 'Write the event to a file.'],
    ['--json', 'Print it on one line.'],
  ];
  const width = Math.max(...rows.map(([flag = '']) => flag.length));
  const lines = rows.map(([flag = '', help = '']) => `  ${flag.padEnd(width)}  ${help}\n`);
  return `Usage: lamella event ${service} ${type} [options]\n\n${summary}\n\nOptions:\n${lines.join('')}`;
}
