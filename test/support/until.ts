/** Waits for a condition with a timeout: for changes in other processes that send no event. */

/** Resolves when `condition` holds. Throws if it does not hold within `seconds`. */
export async function until(condition: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not true within ${seconds} seconds: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
