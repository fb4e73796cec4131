/**
 * The host or the command line is not fit for what was asked: no bubblewrap, port taken, data folder in use.
 * Not for a function's failures (those are `Outcome`s) nor for a client's mistakes (`ServiceError`).
 * Each code is documented in docs/errors.md; a test holds the two together.
 */

type OperatorErrorRow = {
  /** What is wrong; `{name}` is filled in from the details. */
  readonly message: string;
  /** What the person can do about it. */
  readonly remedy: string;
  /** The CLI's exit code: 1 failed, 2 usage, 4 this machine is not fit, 5 no answer of the service, or an error. */
  readonly exitCode: 1 | 2 | 4 | 5;
};

export const OPERATOR_ERRORS = {
  'port-in-use': {
    message: 'Cannot listen on {host}:{port}: the port is in use.',
    remedy: 'Stop the other program, or choose another port with --port (0 takes any free one).',
    exitCode: 4,
  },
  'cannot-listen': {
    message: 'Cannot listen on {host}:{port}: {reason}.',
    remedy: 'Choose an address of this machine with --host and a port you may use with --port.',
    exitCode: 4,
  },
  'data-dir-in-use': {
    message: 'The data folder {directory} is in use by another Lamella service (pid {pid}).',
    remedy: 'Stop that service, or give this one a folder of its own with --data-dir, or use --ephemeral.',
    exitCode: 4,
  },
  'data-dir-unusable': {
    message: 'The data folder {directory} cannot be used: {reason}.',
    remedy: 'Give a folder that you may write to with --data-dir.',
    exitCode: 4,
  },
  'database-corrupt': {
    message: 'The database {file} is damaged: {reason}.',
    remedy: 'Restore it from a backup, or move the data folder away and start with an empty one.',
    exitCode: 4,
  },
  'database-too-new': {
    message: 'The database {file} was written by a newer Lamella (schema {found}, this one knows {known}).',
    remedy: 'Upgrade Lamella, or use another data folder with --data-dir.',
    exitCode: 4,
  },
  'disk-full': {
    message: 'There is no room left on the disk of {path}.',
    remedy: 'Free some room there, or use a data folder on another disk with --data-dir.',
    exitCode: 4,
  },
  'no-sandbox': {
    message: 'This machine cannot isolate functions: {reason}.',
    remedy: '{remedy}',
    exitCode: 4,
  },
  'no-isolated-network': {
    message: 'This machine cannot give each execution environment a network of its own: {reason}.',
    remedy: '{remedy} Or leave out `--network isolated`: environments then share the network of this machine.',
    exitCode: 4,
  },
  'file-unreadable': {
    message: 'Cannot read {file}: {reason}.',
    remedy: 'Check the name and that you may read it.',
    exitCode: 2,
  },
  'file-unwritable': {
    message: 'Cannot write {file}: {reason}.',
    remedy: 'Choose a place that exists and that you may write to.',
    exitCode: 4,
  },
  'service-unreachable': {
    message: 'No Lambda service answers at {url}: {reason}.',
    remedy: 'Start one with `lamella start`, or say where it listens with --endpoint-url.',
    exitCode: 5,
  },
  'service-refused': {
    message: 'An error occurred ({code}) when calling the {operation} operation: {message}',
    remedy: 'docs/errors.md says what the errors of the API mean.',
    exitCode: 5,
  },
  'tool-missing': {
    message: 'The program {tool} is not installed.',
    remedy: 'Install it and see that it is on the PATH.',
    exitCode: 4,
  },
  'package-unavailable': {
    message: 'Cannot fetch the npm package {name}@{version}: {reason}.',
    remedy: 'See that npm can reach its registry (npm ping), then try again; once fetched it is kept in {cacheDir}.',
    exitCode: 4,
  },
  'package-damaged': {
    message: 'The npm package {name}@{version} is not the one that was pinned: expected {expected}, got {actual}.',
    remedy:
      "Nothing was unpacked. Clear npm's cache (npm cache clean --force) and try again; if it stays, do not use it.",
    exitCode: 4,
  },
  'php-version-unknown': {
    message: 'There is no PHP {version} for {architecture} to build a layer from.',
    remedy: 'Choose one of {known}.',
    exitCode: 2,
  },
  'php-source-unusable': {
    message: '{file} is no source archive of PHP: {reason}.',
    remedy: "Give an archive as PHP's site has it, php-X.Y.Z.tar.xz; unpacking it needs tar and xz.",
    exitCode: 2,
  },
  'php-configure-failed': {
    message: 'PHP {version} could not be configured: {reason}.',
    remedy:
      'All that configure said is in {log}. A library comes with its headers in a package that ends in -dev (Debian) or -devel (Amazon Linux).',
    exitCode: 1,
  },
  'php-compile-failed': {
    message: 'PHP {version} was configured, but could not be compiled (make ended with {code}):{lines}',
    remedy: 'All that make said is in {log}.',
    exitCode: 1,
  },
  'php-cgi-missing': {
    message: 'The PHP that was compiled has no php-cgi, which a layer for web applications needs.',
    remedy: 'Leave --disable-cgi out of --configure, or build with --variant lean.',
    exitCode: 2,
  },
  'opcache-unavailable': {
    message: 'PHP {version} cannot read compiled code from a layer.',
    remedy: 'That needs PHP {oldest}: choose it for this layer and for the runtime layer.',
    exitCode: 2,
  },
  'tool-failed': {
    message: 'The program {tool} failed: {reason}.',
    remedy: '`lamella doctor` says what this machine can do.',
    exitCode: 4,
  },
  'node-version-unknown': {
    message: 'There is no Node {version} for {architecture} to build a layer from.',
    remedy: 'Choose one of {known}.',
    exitCode: 2,
  },
  'handler-source-missing': {
    message: 'Cannot find {what} (looked for {tried}).',
    remedy: 'Name it with --handler, for example --handler src/hello.handler, or pack without a bundle: --no-bundle.',
    exitCode: 2,
  },
  'bundle-failed': {
    message: 'The handlers in {directory} cannot be turned into JavaScript: {reason}',
    remedy: 'Mend the source; a package that cannot be bundled can be left as it is with --external.',
    exitCode: 1,
  },
  'package-too-large': {
    message: 'The package of {directory} has {bytes} bytes unpacked, and Lambda takes {limit}.',
    remedy: 'Leave out what the function does not need with .lamellaignore, or move packages into a layer.',
    exitCode: 1,
  },
  'php-extension-unknown': {
    message: 'PHP {version} has no extension {extension} to pack.',
    remedy: 'It has {known}; always in: {builtIn}.',
    exitCode: 2,
  },
  'library-missing': {
    message: '{file} needs {library}, and it was not found with PHP nor on this machine.',
    remedy: 'Install the package of this machine that holds {library}, or leave that extension out.',
    exitCode: 4,
  },
  'library-too-new': {
    message: '{file} needs {library}, and the one of this machine needs glibc {glibc}, newer than AWS has.',
    remedy: 'Build on a machine with an older system (Amazon Linux 2023, Debian 12), or leave that extension out.',
    exitCode: 4,
  },
  'library-unsuitable': {
    message: '{file} would not start: nothing that is packed has {library}.',
    remedy: 'Leave that extension out, or build on another machine: libraries of PHP that it lends do not fit.',
    exitCode: 4,
  },
  'composer-project-unreadable': {
    message: '{file} cannot be read: {reason}.',
    remedy: 'Give the folder of a Composer project, one with a composer.json that is valid JSON.',
    exitCode: 2,
  },
  'composer-offline': {
    message: 'Composer cannot reach the repository of its packages: {reason}.',
    remedy: 'See that this machine reaches it, or list every package as a path repository in composer.json.',
    exitCode: 4,
  },
  'composer-failed': {
    message: 'Composer could not install what {file} asks for: {reason}',
    remedy: 'Run composer install there to see more; the PHP version and extensions are those of the layer.',
    exitCode: 1,
  },
  usage: {
    message: '{reason}',
    remedy: 'See `lamella {command} --help`.',
    exitCode: 2,
  },
} as const satisfies Record<string, OperatorErrorRow>;

export type OperatorErrorCode = keyof typeof OPERATOR_ERRORS;

/** A failure that the operator of this machine can mend; carries the remedy and the exit code. */
export class OperatorError extends Error {
  readonly code: OperatorErrorCode;
  readonly remedy: string;
  readonly exitCode: number;

  constructor(code: OperatorErrorCode, details: Readonly<Record<string, string | number>> = {}, cause?: unknown) {
    const row: OperatorErrorRow = OPERATOR_ERRORS[code];
    super(fill(row.message, details), cause === undefined ? undefined : { cause });
    this.name = 'OperatorError';
    this.code = code;
    this.remedy = fill(row.remedy, details);
    this.exitCode = row.exitCode;
  }
}

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, key: string) => String(details[key] ?? whole));
}
