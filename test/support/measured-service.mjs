/**
 * Starts a service and measures what its invocations cost, in numbers that other load on the machine does not change.
 * Answers each message of the parent process: `collect` collects garbage first. With the argument `count` it counts the
 * executed source, which makes the service slower; each answer then has what was executed since the last one.
 */
import { Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const isCounting = process.argv[2] === 'count';
const session = new Session();
session.connect();
if (isCounting) {
  session.post('Profiler.enable');
  // From the start: functions that were compiled before have no counters.
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
}

process.on('message', (message) => {
  if (message === 'collect') collectGarbage();
  let executed = 0;
  if (isCounting) {
    session.post('Profiler.takePreciseCoverage', (failure, taken) => {
      if (failure) throw failure;
      executed = taken.result.reduce((sum, script) => sum + (isOwn(script.url) ? executedOf(script) : 0), 0);
    });
  }
  process.send?.({ executed, heapBytes: process.memoryUsage().heapUsed });
});

const { resolveOptions, start } = await import('../../dist/lamella.js');
const service = await start(resolveOptions({ port: 0, httpPort: 0, ephemeral: true }));
console.log(JSON.stringify({ lambda: service.url, http: service.http.url }));
process.once('SIGTERM', () => service.close().then(() => process.exit()));

/** Whether a file is on the path of each invocation. The others work now and then: they write the log, read memory, freeze. */
function isOwn(url) {
  return /\/dist\/(?:api-port|environment|functions|http|invocation|lambda-api|protocol|runtime-api|wire)\//.test(url);
}

/** Characters of source that were executed, each as often as it was. */
function executedOf({ functions }) {
  let sum = 0;
  for (const { ranges } of functions) {
    // A range within another one has a count of its own. They come in order.
    const open = [];
    for (const range of ranges) {
      while (open.length > 0 && open.at(-1).endOffset <= range.startOffset) open.pop();
      const length = range.endOffset - range.startOffset;
      sum += length * (range.count - (open.at(-1)?.count ?? 0));
      open.push(range);
    }
  }
  return sum;
}
