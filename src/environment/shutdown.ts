/**
 * How the processes of an environment are ended. Without extensions: killed at once. With extensions: SIGTERM to the
 * runtime, a share of the time for it, SHUTDOWN to the extensions that listen to it, SIGKILL for who is left at the
 * deadline. Source: lambda-behaviour.md 3.7.
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

/** Ends everything; resolves when no process is left. */
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
    const leaving = [...extensions].filter(([name]) => listening.has(name)).map(([, process]) => process.exited);
    for (const [name, process] of extensions) if (!listening.has(name)) process.signal('SIGKILL');
    await within(clock, deadlineAt - clock.monotonicMs(), Promise.all(leaving));
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
