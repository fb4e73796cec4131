/** `lamella status`: the services of this user that run on this machine. Exits with code 5 if none runs. */
import { isGiven, resolveToolOptions, TOOL_OPTIONS } from '../../options.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';
import { askService, findRecord, runningServices, type ServiceRecord } from '../running-service.ts';
import { keysOf } from '../tool-environment.ts';

type Status = Omit<Partial<ServiceRecord>, 'startTicks'> & { readonly responds: boolean };

export const run: Run = async ({ given }) => {
  const options = resolveToolOptions(given, 'status');
  const isNamed = isGiven(TOOL_OPTIONS.endpointUrl, given.endpointUrl);
  const found = isNamed ? await statusOf(options.endpointUrl) : await Promise.all(runningServices().map(ask));
  if (given.json) await writeJson({ services: found });
  else if (found.length > 0) await writeResult(found.map(render).join('\n'));
  else {
    const where = isNamed ? ` at ${options.endpointUrl}` : '';
    await writeResult(`No service runs${where}. Start one with \`lamella start\`.\n`);
  }
  return found.length > 0 ? 0 : 5;

  async function statusOf(url: string): Promise<Status[]> {
    const record = findRecord({ url });
    if (record !== undefined) return [await ask(record)];
    const urls = await askService(url, keysOf(options));
    return urls === undefined ? [] : [{ ...urls, responds: true }];
  }

  async function ask({ startTicks: _, ...record }: ServiceRecord): Promise<Status> {
    return { ...record, responds: (await askService(record.lambda, keysOf(options))) !== undefined };
  }
};

function render(status: Status): string {
  const { lambda, http, region, accountId, dataDir, ephemeral, pid, startedAt, logFile, responds } = status;
  const rows: [string, string | undefined][] = [
    ['Lambda API', responds ? lambda : `${lambda}, which does not respond`],
    ['HTTP', http],
    ['Region', region && `${region}, account ${accountId}`],
    ['Data', ephemeral ? 'temporary' : dataDir],
    ['Process', pid === undefined ? undefined : `${pid}, since ${startedAt}`],
    ['Log', logFile],
  ];
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.padEnd(12)}${value}\n`)
    .join('');
}
