/** Removes unfinished files and temporary directories when a signal ends this process, as Ctrl-C does. */
import { rmSync } from 'node:fs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const unfinished = new Set<string>();

/**
 * Marks `path` as unfinished: if a signal ends this process, it is removed first. Returns a function that ends the mark.
 * Where something else listens for the signal, it decides, and nothing is removed here.
 */
export function markUnfinished(path: string): () => void {
  if (unfinished.size === 0) for (const signal of SIGNALS) process.on(signal, removeAndEnd);
  unfinished.add(path);
  return () => {
    unfinished.delete(path);
    if (unfinished.size === 0) for (const signal of SIGNALS) process.off(signal, removeAndEnd);
  };
}

function removeAndEnd(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  for (const path of unfinished) rmSync(path, { recursive: true, force: true });
  // Without a listener, the signal ends the process, and the shell learns why.
  process.off(signal, removeAndEnd);
  process.kill(process.pid, signal);
}
