/**
 * Fetches the Node.js of a managed runtime before a function starts on it, once and into the cache that layers are built
 * from, unless this machine's Node.js has the same major version. Without a network the function runs on this
 * machine's; `managed-runtime.ts` plans with what is there.
 */
import type { Log } from '../../log.ts';
import { findNodeBuild, NODE_VERSIONS } from '../../packaging/node/node-builds.ts';
import { fetchNpmPackage, type PinnedPackage } from '../../packaging/npm-package.ts';
import { fetchedNode, majorOfNodeRuntime } from './managed-runtime.ts';

export type ManagedNodes = {
  /** Waits until the Node.js of `runtime` is in the cache, or cannot be fetched. Does nothing for other runtimes. */
  prepare(runtime: string): Promise<void>;
};

export function createManagedNodes({
  cacheDir,
  log,
  hostVersion = process.versions.node,
  fetchPackage = fetchNpmPackage,
}: {
  readonly cacheDir: string;
  readonly log: Log;
  readonly hostVersion?: string;
  readonly fetchPackage?: (pinned: PinnedPackage, cacheDir: string) => Promise<string>;
}): ManagedNodes {
  // One attempt for each version: without a network, every further cold start would wait for npm as well.
  const attempts = new Map<string, Promise<void>>();

  const fetchNode = async (major: string): Promise<void> => {
    const { fullVersion, package: pinned } = findNodeBuild(major, process.arch === 'arm64' ? 'arm64' : 'x86_64');
    log.info({ package: `${pinned.name}@${pinned.version}`, cacheDir }, `fetching Node.js ${fullVersion}, once`);
    try {
      await fetchPackage(pinned, cacheDir);
    } catch (failure) {
      log.warn({ err: failure }, `could not fetch Node.js ${fullVersion}; its functions run on ${hostVersion}`);
    }
  };

  return {
    async prepare(runtime) {
      const major = majorOfNodeRuntime(runtime);
      if (major === undefined || major === hostVersion.split('.', 1)[0] || !NODE_VERSIONS.includes(major)) return;
      if (fetchedNode(major, cacheDir) !== undefined) return;
      const attempt = attempts.get(major) ?? fetchNode(major);
      attempts.set(major, attempt);
      await attempt;
    },
  };
}
