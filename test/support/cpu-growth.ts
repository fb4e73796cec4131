/**
 * Measures how work grows with its input, in CPU time of the test's own process. Other processes of a busy machine take
 * wall time, but add nothing to it.
 */

/** Eight times the input: linear work grows by 8, quadratic work by 64. */
export const FACTOR = 8;
/** The limit between the two, for `expect(await cpuGrowth(...)).toBeLessThan(LINEAR)`. */
export const LINEAR = 30;

/** Below this the clock and the garbage collector decide: the small work is repeated until it takes as long. */
const MEASURED_MS = 25;
const ROUNDS = 3;

/**
 * How many times the CPU time of the work on an input of `size` the work on one of `8 * size` takes: the least of three
 * measurements of each, after a warm-up. `prepare` makes the input, which does not count, and returns the work, which must
 * be repeatable.
 */
export async function cpuGrowth(prepare: (size: number) => () => unknown, size: number): Promise<number> {
  const small = prepare(size);
  const large = prepare(FACTOR * size);
  await cpuMsOf(small, 1);
  await cpuMsOf(large, 1);
  let times = 1;
  while ((await cpuMsOf(small, times)) < MEASURED_MS) times *= 2;
  const largeTimes = Math.ceil(times / FACTOR);
  let [smallMs, largeMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round += 1) {
    smallMs = Math.min(smallMs, (await cpuMsOf(small, times)) / times);
    largeMs = Math.min(largeMs, (await cpuMsOf(large, largeTimes)) / largeTimes);
  }
  return largeMs / smallMs;
}

/** CPU time of this process, user and system, in milliseconds, while `work` runs `times` times. */
export async function cpuMsOf(work: () => unknown, times: number): Promise<number> {
  const before = process.cpuUsage();
  for (let done = 0; done < times; done += 1) {
    const result = work();
    if (result instanceof Promise) await result;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
