/**
 * The Node binaries that layers are built from: npm packages with Node's official releases, pinned by version and
 * integrity. To offer a new release, change this table. `npm-package.ts` fetches the packages.
 */
import { OperatorError } from '../../operator-error.ts';
import type { PinnedPackage } from '../npm-package.ts';

export type NodeBuild = {
  /** The major version: `22`. */
  readonly version: string;
  readonly fullVersion: string;
  readonly architecture: NodeArchitecture;
  /** Contains `bin/node`. */
  readonly package: PinnedPackage;
};

export type NodeArchitecture = 'x86_64' | 'arm64';

type Row = { readonly fullVersion: string; readonly integrity: Readonly<Record<NodeArchitecture, string>> };

const NODE_RELEASES: Readonly<Record<string, Row>> = {
  20: {
    fullVersion: '20.20.2',
    integrity: {
      x86_64: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
      arm64: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    },
  },
  22: {
    fullVersion: '22.23.3',
    integrity: {
      x86_64: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
      arm64: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
    },
  },
  24: {
    fullVersion: '24.21.0',
    integrity: {
      x86_64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
      arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    },
  },
};

/** Lambda's name of an architecture -> npm's. */
const NPM_ARCHITECTURES: Readonly<Record<NodeArchitecture, string>> = { x86_64: 'x64', arm64: 'arm64' };

/** The major versions that a layer can be built from. */
export const NODE_VERSIONS: readonly string[] = Object.keys(NODE_RELEASES);

/** Finds the build for `22` or `22.23.3`. Throws `OperatorError` `node-version-unknown`. */
export function findNodeBuild(version: string, architecture = 'x86_64'): NodeBuild {
  const major = version.split('.', 1)[0] ?? '';
  const row = Object.hasOwn(NODE_RELEASES, major) ? NODE_RELEASES[major] : undefined;
  const isKnown = row !== undefined && (version === major || version === row.fullVersion);
  if (!isKnown || !isArchitecture(architecture)) {
    const known = Object.values(NODE_RELEASES).map(({ fullVersion }) => fullVersion);
    const architectures = Object.keys(NPM_ARCHITECTURES).join(' or ');
    throw new OperatorError('node-version-unknown', {
      version,
      architecture,
      known: `${[...NODE_VERSIONS, ...known].join(', ')} for ${architectures}`,
    });
  }
  return {
    version: major,
    fullVersion: row.fullVersion,
    architecture,
    package: {
      name: `node-linux-${NPM_ARCHITECTURES[architecture]}`,
      version: row.fullVersion,
      integrity: row.integrity[architecture],
    },
  };
}

function isArchitecture(name: string): name is NodeArchitecture {
  return Object.hasOwn(NPM_ARCHITECTURES, name);
}
