/**
 * Ends the processes of an environment. Without extensions they are killed immediately. With extensions, the runtime
 * gets SIGTERM and a share of the time to exit, extensions that subscribed to SHUTDOWN get that event, and the processes
 * that are left at the deadline get SIGKILL.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import type { Clock } from '../clock.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { RuntimeSession } from '../runtime-api/session.ts';
import type { Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import type { EndReason } from './lifecycle.ts';

export type RunningProcesses = {
  readonly runtime: SandboxProcess | undefined;
  /** External extensions by name. */
  readonly extensions: ReadonlyMap<string, SandboxProcess>;
};

/** Ends all processes; resolves when none is left. */
export async function endProcesses(
  { runtime, extensions }: RunningProcesses,
  reason: EndReason,
  deps: { readonly session: RuntimeSession; readonly sandbox: Sandbox; readonly clock: Clock },
): Promise<void> {
  const { session, sandbox, clock } = deps;
  if (session.extensions.count > 0) {
    const budgetMs = extensions.size > 0 ? QUOTAS.shutdownMs.external : QUOTAS.shutdownMs.internalOnly;
    const deadlineAt = clock.monotonicMs() + budgetMs;
    const deadlineMs = Math.floor(clock.epochMs() + budgetMs);
    if (runtime) {
      const hasInternal = session.extensions.all.some(({ kind }) => kind === 'internal');
      runtime.signal('SIGTERM');
      await within(clock, QUOTAS.shutdownMs[hasInternal ? 'runtimeWithInternal' : 'runtime'], runtime.exited);
      runtime.signal('SIGKILL');
    }
    session.extensions.publish({ eventType: 'SHUTDOWN', deadlineMs, shutdownReason: reason });
    const listening = new Set(
      session.extensions.all.filter(({ events }) => events.has('SHUTDOWN')).map(({ name }) => name),
    );
    const exiting = [...extensions].filter(([name]) => listening.has(name)).map(([, process]) => process.exited);
    for (const [name, process] of extensions) if (!listening.has(name)) process.signal('SIGKILL');
    await within(clock, deadlineAt - clock.monotonicMs(), Promise.all(exiting));
  }
  await sandbox.killAll();
}

/** Waits for `done`, but no longer than `ms`. */
function within(clock: Clock, ms: number, done: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      resolve();
    };
    const cancel = clock.after(Math.max(0, ms), finish);
    void done.then(finish);
  });
}
