/**
 * The PHP binaries that layers are built from: npm packages that hold PHP as it was built on Amazon Linux (8.5: on
 * AlmaLinux 9), with its modules, the libraries that Amazon Linux's own image lacks, and Composer. Pinned by version and
 * integrity: a new release of a package is a change of this table. Fetching is `npm-package.ts`.
 */
import { OperatorError } from '../../operator-error.ts';
import type { PinnedPackage } from '../npm-package.ts';

export type PhpBuild = {
  /** `8.4`: what a person asks for. */
  readonly version: string;
  readonly fullVersion: string;
  readonly architecture: 'x86_64';
  readonly package: PinnedPackage;
  /** Where libraries that the package leaves to its system come from before this machine's own are looked at. */
  readonly libraryPackages: readonly PinnedPackage[];
  /** Libraries taken from another package although its own has them: theirs are too old for what people run today. */
  readonly newerLibraries?: { readonly package: PinnedPackage; readonly sonames: readonly string[] };
  /** Extensions inside the binary: nothing to pack, nothing to switch on. */
  readonly builtIn: readonly string[];
};

const ALWAYS = ['core', 'date', 'filter', 'hash', 'libxml', 'openssl', 'pcntl', 'pcre', 'readline', 'reflection'];
const SINCE_EVER = [...ALWAYS, 'session', 'spl', 'standard', 'zlib'];

const AMAZON_LINUX_2023_V84: PinnedPackage = {
  name: '@libphp/amazon-linux-2023-v84',
  version: '0.0.8',
  integrity: 'sha512-ddii8duN8LsL70sgqTqr2n34Qo2DFnZLW8R+hnKVoHTY1fB5yqjfhNSh+bwquLiPucXBinSOobZlvP1ReJRsWA==',
};

/** Amazon Linux 2 has SQLite 3.7.17, of 2013: MediaWiki, Laravel, Drupal and others refuse it. */
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
    builtIn: SINCE_EVER,
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
    builtIn: [...SINCE_EVER, 'json', 'random'],
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
    builtIn: [...SINCE_EVER, 'json', 'random', 'sockets'],
  },
  {
    version: '8.4',
    fullVersion: '8.4.14',
    architecture: 'x86_64',
    package: AMAZON_LINUX_2023_V84,
    libraryPackages: [],
    builtIn: [...SINCE_EVER, 'json', 'random'],
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
    // It leaves curl, libxml2 and others to the system; Amazon Linux 2023's own are in the package for 8.4.
    libraryPackages: [AMAZON_LINUX_2023_V84],
    builtIn: [...SINCE_EVER, 'json', 'random', 'sockets', 'lexbor', 'uri', 'opcache'],
  },
];

/** The versions that layers can be built for, oldest first. */
export const PHP_VERSIONS: readonly string[] = PHP_BUILDS.map(({ version }) => version);

/** The build for `8.4` or for its full version `8.4.14`. Throws `OperatorError` `php-version-unknown`. */
export function findPhpBuild(version: string, architecture = 'x86_64'): PhpBuild {
  const build = PHP_BUILDS.find(
    (candidate) =>
      (candidate.version === version || candidate.fullVersion === version) && candidate.architecture === architecture,
  );
  if (build !== undefined) return build;
  const known = PHP_BUILDS.map((row) => `${row.version} (${row.fullVersion}, ${row.architecture})`).join(', ');
  throw new OperatorError('php-version-unknown', { version, architecture, known });
}
