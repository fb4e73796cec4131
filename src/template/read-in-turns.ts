/**
 * Reads templates that clients send to a service: one at a time, and with pauses in which the service does other work. The
 * largest YAML texts take more than a second.
 */
import { systemClock } from '../clock.ts';
import { type ReadOptions, type ReadTemplate, readTemplateInSteps } from './read-template.ts';

/** @throws TemplateError, by its promise */
export type ReadInTurns = (text: string, options?: ReadOptions) => Promise<ReadTemplate>;

/** How long one turn may take before other work gets one, in milliseconds. Some steps are longer. */
const TURN_MS = 20;

/** Creates a reader that reads one template after the other, in the order of the calls. */
export function createReadInTurns(): ReadInTurns {
  let last: Promise<unknown> = Promise.resolve();
  return (text, options) => {
    const reading = last.then(() => readInTurns(text, options));
    last = reading.catch(() => undefined);
    return reading;
  };
}

/** Reads one template. @throws TemplateError */
export async function readInTurns(text: string, options?: ReadOptions): Promise<ReadTemplate> {
  const steps = readTemplateInSteps(text, options);
  let startedMs = systemClock.monotonicMs();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (systemClock.monotonicMs() - startedMs < TURN_MS) continue;
    await new Promise(setImmediate);
    startedMs = systemClock.monotonicMs();
  }
}
