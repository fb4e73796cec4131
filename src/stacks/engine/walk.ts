/**
 * Visits the nodes of a graph, each as soon as its prerequisites are done, and as many at the same time as that allows.
 * A node whose prerequisite failed is left out.
 */
export type Graph = {
  readonly ids: readonly string[];
  /** Ids outside of the graph are ignored. */
  readonly prerequisites: (id: string) => readonly string[];
};

/**
 * `visit` returns whether it succeeded. With `stopsAt`, no further visit begins once it returns true. Resolves when no
 * visit is running any more, with the ids that failed or were left out.
 */
export async function walk(
  { ids, prerequisites }: Graph,
  visit: (id: string) => Promise<boolean>,
  stopsAt: () => boolean = () => false,
): Promise<readonly string[]> {
  const missing = new Map<string, Set<string>>();
  const followers = new Map<string, string[]>();
  const known = new Set(ids);
  for (const id of known) {
    const needed = new Set(prerequisites(id).filter((other) => other !== id && known.has(other)));
    missing.set(id, needed);
    for (const other of needed) followers.set(other, [...(followers.get(other) ?? []), id]);
  }
  const unfinished = new Set(known);
  await new Promise<void>((resolve, reject) => {
    let running = 0;
    const settle = (id: string) => (succeeded: boolean) => {
      running -= 1;
      if (succeeded) {
        unfinished.delete(id);
        for (const follower of followers.get(id) ?? []) {
          const needed = missing.get(follower);
          needed?.delete(id);
          if (needed?.size === 0) start(follower);
        }
      }
      if (running === 0) resolve();
    };
    const start = (id: string) => {
      if (stopsAt()) return;
      running += 1;
      visit(id).then(settle(id), reject);
    };
    for (const id of known) if (missing.get(id)?.size === 0) start(id);
    if (running === 0) resolve();
  });
  return [...unfinished];
}

/** The opposite graph: a node waits for those that have it as a prerequisite. */
export function reversed({ ids, prerequisites }: Graph): Graph {
  const dependents = new Map<string, string[]>();
  for (const id of ids) {
    for (const other of prerequisites(id)) dependents.set(other, [...(dependents.get(other) ?? []), id]);
  }
  return { ids, prerequisites: (id) => dependents.get(id) ?? [] };
}
