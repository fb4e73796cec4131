/** Waits for a condition with a deadline: for what happens in other processes and tells nobody. */

/** Resolves when `condition` holds; throws when it does not within `seconds`. */
export async function until(condition: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not so within ${seconds} seconds: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
