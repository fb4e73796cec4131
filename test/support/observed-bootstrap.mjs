/**
 * A bootstrap for a server that starts runtimes itself: it starts the real one behind an observer (`runtime-observer.ts`), and
 * tells the observer the address of the server's Runtime API and how the runtime ended.
 */
import { spawn } from 'node:child_process';

const { OBSERVED: text, AWS_LAMBDA_RUNTIME_API: api, ...environment } = process.env;
const { observer, argv, task } = JSON.parse(text);
const tell = (what, body) =>
  fetch(`http://${observer}/observer/${what}`, { method: 'POST', body: JSON.stringify(body) });

const [program, ...args] = argv;
await tell('begins', { api });
const runtime = spawn(program, args, {
  cwd: task,
  // Its own process group, so that it can be killed with everything that it has started.
  detached: true,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...environment, LAMBDA_TASK_ROOT: task, AWS_LAMBDA_RUNTIME_API: observer },
});
await tell('started', { pid: runtime.pid });
runtime.once('exit', async (code, signal) => {
  await tell('ended', { code, signal });
  process.exit(code ?? 1);
});
