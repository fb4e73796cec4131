/** `lamella schedule`: the schedules of a service, and their events sent now instead of at their time. */
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';
import { clientOf, type Json, type ServiceClient } from '../service-client.ts';

export const runList: Run = async ({ given }) => {
  const client = await clientOf(given, 'schedule list');
  const schedules = await schedulesOf(client);
  if (given.json) await writeJson({ schedules });
  else if (schedules.length === 0) await writeResult(`No schedules in ${client.target.region}.\n`);
  else {
    const width = Math.max(...schedules.map(({ name }) => String(name).length));
    const lines = schedules.map(({ name, expression, timeZone, function: target, nextTime }) => {
      const zone = timeZone === undefined || timeZone === 'UTC' ? '' : ` (${timeZone})`;
      const next = nextTime === undefined ? 'disabled or over' : `next ${nextTime}`;
      return `${String(name).padEnd(width)}  ${expression}${zone} -> ${target}, ${next}\n`;
    });
    await writeResult(lines.join(''));
  }
  return 0;
};

export const runFire: Run = async ({ args, given }) => {
  const client = await clientOf(given, 'schedule fire');
  const [name = ''] = args;
  const schedules = await schedulesOf(client);
  if (!schedules.some((schedule) => schedule.name === name)) {
    const names = schedules.map((schedule) => String(schedule.name));
    const nearest = nearestOf(name, names);
    const hint = nearest !== undefined ? `Did you mean ${nearest}?` : `Schedules: ${names.join(', ') || 'none'}.`;
    const reason = `There is no schedule "${name}" in ${client.target.region}. ${hint}`;
    throw new OperatorError('usage', { reason, command: 'schedule fire' });
  }
  await client.admin('POST', `/schedules/${encodeURIComponent(name)}/fire?region=${client.target.region}`);
  if (given.json) await writeJson({ fired: name });
  else await writeResult(`Sent the event of ${name}. \`lamella logs\` shows what the function does with it.\n`);
  return 0;
};

async function schedulesOf(client: ServiceClient): Promise<Json[]> {
  const { schedules } = await client.admin('GET', '/schedules');
  return schedules.filter(({ region }: Json) => region === undefined || region === client.target.region);
}
