/**
 * The crash test of asynchronous invocations at full size: events are sent while the service is killed and restarted.
 * `node scripts/run.mjs bench async-crash [events] [kills]` exits with 1 if an acknowledged event was lost.
 */
import { sendThroughCrashes } from '../test/support/crash-run.ts';
import { percentile } from './running-service.ts';

const events = Number(process.argv[2] ?? 10_000);
const kills = Number(process.argv[3] ?? 10);
const { lost, restartMs, seconds, ...counts } = await sendThroughCrashes({ events, kills });
console.log({
  events,
  kills: restartMs.length,
  ...counts,
  lost: lost.length,
  restartMs: { p50: Math.round(percentile(restartMs, 0.5)), max: Math.round(Math.max(...restartMs)) },
  seconds: Math.round(seconds),
});
if (lost.length > 0) {
  console.error(`lost: ${lost.slice(0, 20).join(', ')}`);
  process.exitCode = 1;
}
