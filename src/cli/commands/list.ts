/** `lamella list`: what a service has: functions, layers, queues, schedules, HTTP gateways, event source mappings. */
import { arnElements } from '../../protocol/arn.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';
import { clientOf, type Json, type ServiceClient } from '../service-client.ts';

export const run: Run = async ({ given }) => {
  const client = await clientOf(given, 'list');
  const found = given.remote ? { ...(await lambdaResources(client)), ...NOTHING_OF_OURS } : await everything(client);
  if (given.json) await writeJson(found);
  else await writeResult(render(found, client));
  return 0;
};

type Resources = {
  readonly functions: readonly Json[];
  readonly layers: readonly Json[];
  readonly eventSourceMappings: readonly Json[];
  readonly queues: readonly Json[];
  readonly schedules: readonly Json[];
  readonly gateways: readonly Json[];
};

const NOTHING_OF_OURS = { queues: [], schedules: [], gateways: [] };

async function lambdaResources(client: ServiceClient) {
  const [functions, layers, mappings] = await Promise.all([
    pages(client, 'ListFunctions', '/2015-03-31/functions/', 'Functions'),
    pages(client, 'ListLayers', '/2018-10-31/layers', 'Layers'),
    pages(client, 'ListEventSourceMappings', '/2015-03-31/event-source-mappings/', 'EventSourceMappings'),
  ]);
  return { functions, layers, eventSourceMappings: mappings };
}

async function everything(client: ServiceClient): Promise<Resources> {
  const [lambda, { QueueUrls = [] }, { schedules }, { gateways }] = await Promise.all([
    lambdaResources(client),
    client.sqs('ListQueues', {}),
    client.admin('GET', '/schedules'),
    client.admin('GET', '/gateways'),
  ]);
  const own = schedules.filter(({ region }: Json) => region === undefined || region === client.target.region);
  return {
    ...lambda,
    queues: QueueUrls.map((url: string) => ({ name: url.split('/').at(-1), url })),
    schedules: own,
    gateways: Object.entries(gateways as Json).map(([name, gateway]) => ({ name, ...gateway })),
  };
}

async function pages(client: ServiceClient, operation: string, path: string, member: string): Promise<Json[]> {
  const found: Json[] = [];
  for (let marker: string | undefined, isFirst = true; isFirst || marker; isFirst = false) {
    const page = await client.lambda(operation, path, marker ? { Marker: marker } : {});
    found.push(...(page[member] ?? []));
    marker = page.NextMarker;
  }
  return found;
}

function render(found: Resources, { target }: ServiceClient): string {
  const sections = [
    section('Functions', found.functions, ({ FunctionName, Runtime, MemorySize, Timeout, LastModified }) => [
      FunctionName,
      Runtime ?? 'image',
      `${MemorySize} MB`,
      `${Timeout} s`,
      `changed ${String(LastModified).slice(0, 19)}`,
    ]),
    section('Layers', found.layers, ({ LayerName, LatestMatchingVersion: latest }) => [
      LayerName,
      `version ${latest?.Version}`,
      latest?.Description ?? '',
    ]),
    section('Event source mappings', found.eventSourceMappings, ({ EventSourceArn, FunctionArn, State }) => [
      arnElements(String(EventSourceArn)).at(-1),
      `-> ${arnElements(String(FunctionArn)).slice(6).join(':')}`,
      State,
    ]),
    section('Queues', found.queues, ({ name, url }) => [name, url]),
    section('Schedules', found.schedules, ({ name, expression, function: target, enabled }) => [
      name,
      expression,
      `-> ${target}`,
      enabled === false ? 'disabled' : '',
    ]),
    section('HTTP gateways', found.gateways, ({ name, kind, type }) => [name, String(kind ?? type ?? '')]),
  ].filter((text) => text !== '');
  if (sections.length === 0)
    return `Nothing in ${target.region}. Create a function with \`lamella aws lambda create-function\`.\n`;
  return sections.join('\n');
}

/** A heading and a line for each row, with aligned cells; empty without rows. */
function section(title: string, rows: readonly Json[], cellsOf: (row: Json) => readonly unknown[]): string {
  if (rows.length === 0) return '';
  const table = rows.map((row) => cellsOf(row).map((cell) => String(cell ?? '')));
  const widths = (table[0] ?? []).map((_, at) => Math.max(...table.map((cells) => cells[at]?.length ?? 0)));
  const lines = table.map(
    (cells) =>
      `  ${cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
  );
  return `${title}\n${lines.join('')}`;
}
