/** Garbage collection of code, layer content and merged layer trees that nothing refers to. */
import type { Layers } from '../layers/layers.ts';
import type { OptTrees } from '../layers/opt-tree.ts';
import type { Archives } from '../storage/archives.ts';
import type { FunctionVersion } from './function.ts';
import type { FunctionStore } from './function-store.ts';

export type GarbageDependencies = {
  readonly store: Pick<FunctionStore, 'references'>;
  readonly layers: Pick<Layers, 'digests'>;
  readonly archives: Archives;
  readonly optTrees: OptTrees;
};

/** Removes garbage: archives only after a day. `inUse` returns the versions that environments run or may still start with. */
export async function collectFunctionGarbage(
  { store, layers, archives, optTrees }: GarbageDependencies,
  inUse: () => readonly FunctionVersion[],
  nowMs: number,
): Promise<{ archives: number; optTrees: number }> {
  const references = () => {
    const stored = store.references();
    const versions = inUse();
    const listsInUse = versions.map(({ configuration }) => configuration.layers.map(({ digest }) => digest));
    const codeInUse = versions.flatMap(({ code }) => code.digest ?? []);
    return { code: [...stored.code, ...codeInUse], lists: [...stored.layers, ...listsInUse] };
  };
  const trees = await optTrees.collect(() => references().lists);
  const removed = await archives.collect(() => {
    const { code, lists } = references();
    return new Set<string>([...code, ...lists.flat(), ...layers.digests()]);
  }, nowMs);
  return { archives: removed, optTrees: trees };
}
