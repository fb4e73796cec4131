/**
 * Errors that the operator of this machine can fix: a missing program, a port in use, a wrong option.
 * Not for failures of functions (those are `Outcome`s) or invalid requests of clients (`ServiceError`).
 * docs/errors.md has a table of these rows; a test compares the two.
 */

type OperatorErrorRow = {
  /** What failed, and where. `{name}` is replaced by the detail of this name. */
  readonly message: string;
  /** What the error means. Only for docs/errors.md. */
  readonly meaning: string;
  /** What to do. Printed below the message. Refers to no document: the npm package does not contain all of them. */
  readonly remedy: string;
  /** Exit code of the CLI: 1 failure, 2 usage, 4 a requirement of this machine, 5 no response of the service, or an error. */
  readonly exitCode: 1 | 2 | 4 | 5;
};

export const OPERATOR_ERRORS = {
  'port-in-use': {
    message: 'Cannot listen on {host}:{port}: the port is in use.',
    meaning: 'Another program listens on this port.',
    remedy: 'Stop the other program, or choose another port with --port or --http-port. Port 0 picks a free one.',
    exitCode: 4,
  },
  'cannot-listen': {
    message: 'Cannot listen on {host}:{port}: {reason}.',
    meaning: 'This machine does not have the address, or you may not use the port.',
    remedy: 'Set --host to an address of this machine, and --port and --http-port to ports that you may use.',
    exitCode: 4,
  },
  'data-dir-in-use': {
    message: 'The data directory {directory} is in use by another Lamella service (pid {pid}).',
    meaning: 'Only one service at a time can use a data directory.',
    remedy:
      'Use the other service, stop it with `lamella stop`, choose another directory with --data-dir, or use --ephemeral.',
    exitCode: 4,
  },
  'data-dir-unusable': {
    message: 'Cannot use the data directory {directory}: {reason}.',
    meaning: 'The directory, or a file in it, cannot be created, read or written.',
    remedy: 'Choose a directory that you can write to with --data-dir.',
    exitCode: 4,
  },
  'cannot-debug': {
    message: 'The function {name} cannot be debugged: {reason}.',
    meaning: 'There is no debugger for the language of a function that --debug names, or none that fits its PHP.',
    remedy: '{remedy}',
    exitCode: 4,
  },
  'cannot-reset': {
    message: 'This service keeps its data in {directory}, and a reset would remove all of it.',
    meaning: 'Only a service with temporary data can be reset: reset() and POST /_lamella/reset are for tests.',
    remedy: 'Start a service for the tests with --ephemeral.',
    exitCode: 2,
  },
  'database-corrupt': {
    message: 'The database {file} is damaged: {reason}.',
    meaning: 'SQLite found errors in the file, for example after a disk failure.',
    remedy: 'Restore the file from a backup, or move the data directory away and start with an empty one.',
    exitCode: 4,
  },
  'database-too-new': {
    message:
      'The database {file} was written by a newer version of Lamella (schema {found}, this version supports {known}).',
    meaning: 'An older version of Lamella was started with the data of a newer one.',
    remedy: 'Upgrade Lamella, or choose another data directory with --data-dir.',
    exitCode: 4,
  },
  'archive-missing': {
    message: 'The archive {file} of a function or layer is missing or damaged.',
    meaning: 'A file of the data directory was removed or changed, so a function cannot start.',
    remedy: "Restore the file from a backup, or update the function's code or publish the layer again.",
    exitCode: 4,
  },
  'disk-full': {
    message: 'No space left on the disk of {path}.',
    meaning: 'Lamella could not write its data.',
    remedy: 'Free some space on this disk, or choose a data directory on another disk with --data-dir.',
    exitCode: 4,
  },
  'disk-failed': {
    message: 'The disk or the kernel failed: {reason}.',
    meaning: 'A file of the service could not be read or written. What is running continues.',
    remedy: 'Check the disk (`dmesg`), or choose a data directory on another disk with --data-dir.',
    exitCode: 4,
  },
  'open-files-limit': {
    message: 'Too many open files: {reason}.',
    meaning: 'The service, or this machine, has reached its limit on open files. What is running continues.',
    remedy: 'Raise the limit of the service (`ulimit -n`), or run fewer execution environments at once.',
    exitCode: 4,
  },
  'process-limit': {
    message: 'Cannot start another process: {reason}.',
    meaning: 'The user or the container has reached its limit on processes. What is running continues.',
    remedy:
      'Raise the limit (`ulimit -u`, or the limit of the container), or run fewer execution environments at once.',
    exitCode: 4,
  },
  'out-of-memory': {
    message: 'This machine has no memory left: {reason}.',
    meaning: 'The kernel refused to allocate memory. What is running continues.',
    remedy: 'End other programs, or run fewer execution environments at once.',
    exitCode: 4,
  },
  'no-sandbox': {
    message: 'Cannot run functions on this machine: {reason}.',
    meaning:
      'The sandboxes in which functions run need something that this machine lacks. `lamella doctor` lists everything that is missing.',
    remedy: '{remedy}',
    exitCode: 4,
  },
  'no-isolated-network': {
    message: 'Cannot give each execution environment its own network: {reason}.',
    meaning: '`--network isolated` needs network namespaces, which this machine does not allow.',
    remedy: '{remedy} Or leave out `--network isolated`: environments then share the network of this machine.',
    exitCode: 4,
  },
  'file-unreadable': {
    message: 'Cannot read {file}: {reason}.',
    meaning: 'The file or directory does not exist, has the wrong format, or you may not read it.',
    remedy: 'Check the path and its permissions.',
    exitCode: 2,
  },
  'file-unwritable': {
    message: 'Cannot write {file}: {reason}.',
    meaning: 'The directory does not exist, or you may not write to it.',
    remedy: 'Choose a path in an existing directory that you can write to.',
    exitCode: 4,
  },
  'init-exists': {
    message: 'Cannot create a project in {directory}: {files} already exist{s}.',
    meaning: '`lamella init` overwrites nothing.',
    remedy: 'Choose another directory: lamella init NAME.',
    exitCode: 2,
  },
  'init-template-unknown': {
    message: 'There is no template {name}. {reason}',
    meaning: 'The name after --template is not one of the templates.',
    remedy: 'Choose one of {known}.',
    exitCode: 2,
  },
  'no-function': {
    message: 'Cannot run {path}: it has no template and no handler that Lamella knows.',
    meaning:
      '`lamella dev` looks for template.yaml, template.yml or template.json, then for a file with the name of a handler: bootstrap, index.ts, index.mjs, index.js, index.php, public/index.php, handler.* or app.*, also in src/.',
    remedy: 'Create a project with `lamella init`, or name the file of the function: lamella dev hello.php.',
    exitCode: 2,
  },
  'env-vars-invalid': {
    message: 'Cannot use the variables in {file}: {reason}.',
    meaning: 'The file of --env-vars is not JSON of the form that SAM has.',
    remedy: 'Write {"FunctionName": {"NAME": "value"}, "Parameters": {"NAME": "value for all functions"}}.',
    exitCode: 2,
  },
  'dev-nested-stack': {
    message: '{place}: `lamella dev` does not run nested stacks from local files, such as {template}.',
    meaning:
      'The template has an AWS::CloudFormation::Stack or AWS::Serverless::Application with a file of this machine.',
    remedy: 'Run the nested template by itself: lamella dev {template}.',
    exitCode: 2,
  },
  'event-invalid': {
    message: '{source} is not valid JSON. {reason}',
    meaning: 'The event of `lamella invoke` has a syntax error. It was not sent.',
    remedy: '{remedy}',
    exitCode: 2,
  },
  'config-invalid': {
    message: 'Invalid configuration file {file}: {reason}',
    meaning: 'The file has a syntax error, or sets an option that does not exist.',
    remedy: 'Correct the file, or choose another one with --config-file or another environment with --config-env.',
    exitCode: 2,
  },
  'config-value': {
    message: '{source} {problem}.',
    meaning: 'A value in the configuration file is not one that the option accepts.',
    remedy: 'Correct the value, or remove it.',
    exitCode: 2,
  },
  'already-running': {
    message: 'Cannot listen on {host}:{port}: another Lamella runs there{detail}.',
    meaning: 'The port belongs to a service that is already running.',
    remedy: 'Use that service, stop it with `lamella stop --endpoint-url {url}`, or choose another port with --port.',
    exitCode: 4,
  },
  'not-stopped': {
    message: '{reason}.',
    meaning: '`lamella stop` did not find the service to stop, or the service did not end.',
    remedy:
      'Run `lamella status` to see what runs, and name the service with --endpoint-url or --data-dir, or use --all.',
    exitCode: 5,
  },
  'no-aws-keys': {
    message: 'Cannot call AWS: {reason}.',
    meaning:
      '`--remote` and `lamella deploy` need keys of AWS, from its default chain: environment, profile, SSO or role.',
    remedy:
      'Log in, or name a profile with --profile or AWS_PROFILE. For a service on this machine, set --endpoint-url. The keys of Lamella are not sent to AWS.',
    exitCode: 2,
  },
  'cloud-unreachable': {
    message: 'Cannot reach {url}: {reason}.',
    meaning: 'Nothing accepts connections at the endpoint that a deployment uses.',
    remedy: 'Check the network, --region, and --endpoint-url or AWS_ENDPOINT_URL. Run the command again: it continues.',
    exitCode: 5,
  },
  'cloud-refused': {
    message: 'An error occurred ({code}) when calling the {operation} operation: {message}',
    meaning:
      'AWS, or the endpoint that a deployment uses, refused a call. The message is its own; the remedy depends on the code.',
    remedy: '{remedy}',
    exitCode: 5,
  },
  'bucket-unusable': {
    message: 'Cannot use the bucket {bucket}: {reason}.',
    meaning: 'A deployment cannot upload to this bucket.',
    remedy: '{remedy}',
    exitCode: 1,
  },
  'stack-unusable': {
    message: 'The stack {name} is in {status} and cannot be changed{reason}.',
    meaning: 'An earlier operation left the stack in a status in which CloudFormation accepts no change.',
    remedy: '{remedy}',
    exitCode: 1,
  },
  'change-set-failed': {
    message: 'CloudFormation cannot plan the changes of {name}: {reason}.',
    meaning: 'The template, a parameter or a capability is not valid. Nothing was changed.',
    remedy: 'Correct the template or the parameters. `lamella validate` shows problems with their place.',
    exitCode: 1,
  },
  'deploy-overtaken': {
    message: 'The stack {name} was changed by another deployment meanwhile: {reason}.',
    meaning: 'Two deployments of the same stack ran at once. This one has changed nothing.',
    remedy: 'Deploy again, with a new plan.',
    exitCode: 1,
  },
  'deploy-failed': {
    message: 'The deployment of {name} failed, and the stack is in {status}:{reasons}',
    meaning:
      'A resource could not be created or changed. CloudFormation has rolled the stack back, unless that is switched off.',
    remedy:
      'Correct the cause and deploy again. Unless rolling back is switched off, what was deployed before is as it was.',
    exitCode: 1,
  },
  'delete-failed': {
    message: 'The stack {name} could not be deleted, and is in {status}:{reasons}',
    meaning: 'A resource could not be deleted, such as a bucket that is not empty.',
    remedy: 'Remove the cause and run the command again, or keep resources with --retain-resources.',
    exitCode: 1,
  },
  'deploy-check': {
    message: 'The project would not work on AWS: {count}.',
    meaning: 'The checks of `lamella check` found errors, so nothing was deployed.',
    remedy: 'Correct them, or deploy with --no-check.',
    exitCode: 1,
  },
  'service-unreachable': {
    message: 'Cannot reach a Lambda service at {url}: {reason}.',
    meaning: 'No service accepts connections at this URL.',
    remedy: 'Start one with `lamella start`, or set --endpoint-url to the URL of a running service.',
    exitCode: 5,
  },
  'not-lambda': {
    message: '{url} is not the URL of a Lambda API: the response ({response}) lacks the headers of Lambda.',
    meaning: 'Something else listens at this URL, such as the HTTP port of Lamella or another web server.',
    remedy: '{remedy}',
    exitCode: 5,
  },
  'service-refused': {
    message: 'An error occurred ({code}) when calling the {operation} operation: {message}',
    meaning: 'The service responded with an AWS error. The message is that of AWS; the remedy depends on the code.',
    remedy: '{remedy}',
    exitCode: 5,
  },
  'tool-missing': {
    message: 'The program {tool} is not installed.',
    meaning: 'Lamella runs this program to build a layer, and did not find it in your PATH.',
    remedy: 'Install {tool} and make sure that it is in your PATH.',
    exitCode: 4,
  },
  'package-unavailable': {
    message: 'Cannot download the npm package {name}@{version}: {reason}.',
    meaning: 'Lamella builds layers from this package, and npm could not download it.',
    remedy: 'Check that npm can reach its registry (`npm ping`), then try again. Downloads are kept in {cacheDir}.',
    exitCode: 4,
  },
  'package-damaged': {
    message: 'The npm package {name}@{version} has an unexpected checksum: expected {expected}, got {actual}.',
    meaning: 'The download is not the package that this version of Lamella was tested with. Nothing was unpacked.',
    remedy:
      "Clear npm's cache (`npm cache clean --force`) and try again. If the error persists, do not use the package.",
    exitCode: 4,
  },
  'php-version-unknown': {
    message: 'No PHP {version} for {architecture} is available.',
    meaning: 'Lamella has no prebuilt PHP of this version.',
    remedy: 'Choose one of {known}.',
    exitCode: 2,
  },
  'php-source-unusable': {
    message: '{file} is not a source archive of PHP: {reason}.',
    meaning: "The file cannot be unpacked, or does not contain PHP's source code.",
    remedy: "Use an archive from PHP's site, named php-X.Y.Z.tar.xz. Unpacking it needs the programs tar and xz.",
    exitCode: 2,
  },
  'php-configure-failed': {
    message: 'PHP {version} could not be configured: {reason}.',
    meaning: "PHP's configure script failed. Usually a library or its headers are missing.",
    remedy:
      'Install what is missing. Headers are in packages that end in -dev (Debian) or -devel (Amazon Linux). The full output is in {log}.',
    exitCode: 1,
  },
  'php-compile-failed': {
    message: 'PHP {version} was configured, but could not be compiled (make ended with {code}):{lines}',
    meaning: 'make failed.',
    remedy: 'Fix the errors above. The full output is in {log}.',
    exitCode: 1,
  },
  'php-cgi-missing': {
    message: 'The compiled PHP has no php-cgi, which a layer for web applications needs.',
    meaning: 'The variants http and full run web applications with php-cgi.',
    remedy: 'Remove --disable-cgi from --configure, or build with --variant lean.',
    exitCode: 2,
  },
  'opcache-unavailable': {
    message: 'PHP {version} cannot load compiled code from a layer.',
    meaning: 'Layers are read-only, and older versions of PHP load compiled code only from a writable directory.',
    remedy: 'Use PHP {oldest} for this layer and for the runtime layer.',
    exitCode: 2,
  },
  'tool-failed': {
    message: 'The program {tool} failed: {reason}.',
    meaning: 'A program that Lamella runs exited with an error.',
    remedy: 'Run `lamella doctor` to see what this machine lacks.',
    exitCode: 4,
  },
  'node-version-unknown': {
    message: 'No Node.js {version} for {architecture} is available.',
    meaning: 'Lamella has no prebuilt Node.js of this version.',
    remedy: 'Choose one of {known}.',
    exitCode: 2,
  },
  'handler-source-missing': {
    message: 'Cannot find {what} (looked for {tried}).',
    meaning: 'No source file has the name that the handler implies.',
    remedy: 'Name the handler with --handler, for example --handler src/hello.handler, or use --no-bundle.',
    exitCode: 2,
  },
  'bundle-failed': {
    message: 'Cannot bundle the handlers in {directory}: {reason}',
    meaning: 'The source code has errors, or imports a package that cannot be bundled.',
    remedy: 'Fix the source code. To leave a package out of the bundle, use --external.',
    exitCode: 1,
  },
  'package-too-large': {
    message: 'The package of {directory} is too large: {bytes} bytes unzipped, and Lambda accepts {limit}.',
    meaning: 'AWS would reject this package.',
    remedy: 'Exclude files that the function does not need in .lamellaignore, or move packages into a layer.',
    exitCode: 1,
  },
  'template-unbuildable': {
    message: '{place}: {reason}.',
    meaning: 'The template cannot be built or deployed as it is.',
    remedy: 'Correct the template. `lamella validate` shows all of its problems.',
    exitCode: 2,
  },
  'build-method-unknown': {
    message: '{place}: Lamella does not build {logicalId} with BuildMethod {method}.',
    meaning: 'Lamella has no builder for this method of SAM.',
    remedy:
      'Use one of {known}. Or build with `sam build`, and deploy the result: lamella deploy .aws-sam/build/template.yaml',
    exitCode: 2,
  },
  'build-property': {
    message: '{place}: BuildProperties of {logicalId}: {reason}.',
    meaning:
      'A property in the Metadata of the template is not one that the build method has, or its value is invalid.',
    remedy: 'Correct the Metadata of the resource.',
    exitCode: 2,
  },
  'build-failed': {
    message: 'Cannot build {logicalId}: {reason}.',
    meaning: 'The program that builds a function or a layer failed, or what it needs is missing.',
    remedy: '{remedy}',
    exitCode: 1,
  },
  'php-extension-unknown': {
    message: 'PHP {version} has no extension named {extension}.',
    meaning: 'The name is wrong, or Lamella has no such extension for this version of PHP.',
    remedy: '{hint}Available: {known}. Always included: {builtIn}.',
    exitCode: 2,
  },
  'library-missing': {
    message: '{file} needs {library}, which was found neither with PHP nor on this machine.',
    meaning: 'A shared library that the extension needs is not installed.',
    remedy: 'Install the package that contains {library}, or leave this extension out.',
    exitCode: 4,
  },
  'library-too-new': {
    message: '{file} needs {library}, and the one on this machine needs glibc {glibc}, which is newer than on AWS.',
    meaning: 'With the library of this machine, the layer would not start on AWS.',
    remedy: 'Build on an older system (Amazon Linux 2023, Debian 12), or leave this extension out.',
    exitCode: 4,
  },
  'library-unsuitable': {
    message: '{file} would not start: no packaged library provides {library}.',
    meaning: 'The libraries of this machine do not match those that PHP was built with.',
    remedy: 'Leave this extension out, or build on another machine.',
    exitCode: 4,
  },
  'composer-project-unreadable': {
    message: 'Cannot read {file}: {reason}.',
    meaning: 'The directory is not a Composer project, or its composer.json or composer.lock is not valid JSON.',
    remedy: 'Give the directory of a Composer project with a valid composer.json.',
    exitCode: 2,
  },
  'composer-offline': {
    message: 'Composer cannot reach its package repository: {reason}.',
    meaning: 'Composer could not download package data.',
    remedy: 'Check the network connection, or list every package as a path repository in composer.json.',
    exitCode: 4,
  },
  'composer-failed': {
    message: 'Composer cannot install the packages of {file}: {reason}',
    meaning: 'The requirements in composer.json cannot be met with the PHP version and the extensions of the layer.',
    remedy: 'Run `composer install` in the project to see more. Check --version and --extensions.',
    exitCode: 1,
  },
  usage: {
    message: '{reason}',
    meaning: 'The command line or an environment variable is wrong.',
    remedy: 'Run `lamella {command} --help` to see how to use it.',
    exitCode: 2,
  },
} as const satisfies Record<string, OperatorErrorRow>;

export type OperatorErrorCode = keyof typeof OPERATOR_ERRORS;

/** An error that the operator of this machine can fix. Has the remedy and the exit code of its row. */
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

/** Resources that run out: the kernel's codes, and its messages as tools print them. */
const EXHAUSTED = [
  // The kernel also returns ENOSPC when a limit on namespaces is reached.
  {
    codes: ['ENOSPC', 'EDQUOT'],
    pattern: /^(?!.*(namespace|unshare)).*(No space left on device|Disk quota exceeded)/is,
    code: 'disk-full',
  },
  { codes: ['EIO'], pattern: /Input\/output error/, code: 'disk-failed' },
  { codes: ['EMFILE', 'ENFILE'], pattern: /Too many open files/, code: 'open-files-limit' },
  { codes: ['EAGAIN'], pattern: /Resource temporarily unavailable/, code: 'process-limit' },
  { codes: ['ENOMEM'], pattern: /Cannot allocate memory/, code: 'out-of-memory' },
] as const satisfies readonly { codes: readonly string[]; pattern: RegExp; code: OperatorErrorCode }[];

/**
 * Returns the operator error for a failure whose cause is that this machine has run out of something: disk space, open
 * files, processes or memory, or that its disk fails. Undefined for any other failure. Recognizes errors of the kernel, also as the cause of
 * another error, and the messages of tools. `path` is where the service was writing.
 */
export function exhaustedResource(failure: unknown, path: string): OperatorError | undefined {
  for (let error = failure, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    const { message } = error;
    // A program that could not be started leaves only Node's message as its output.
    const errno = 'code' in error ? error.code : /^spawn(?:Sync)? .+ (E[A-Z]+)$/.exec(message)?.[1];
    const found = EXHAUSTED.find(
      ({ codes, pattern, code }) =>
        code === errno || (codes as readonly unknown[]).includes(errno) || pattern.test(message),
    );
    if (found === undefined) continue;
    if (error instanceof OperatorError && error.code === found.code) return error;
    return new OperatorError(found.code, { path, reason: message }, failure);
  }
  return undefined;
}

/**
 * Returns an operator error for a system call that failed, whatever the reason: this machine is at fault, not the caller.
 * Undefined for any other failure.
 */
export function failedSystemCall(failure: unknown, path: string): OperatorError | undefined {
  const exhausted = exhaustedResource(failure, path);
  if (exhausted !== undefined) return exhausted;
  const isSystemCall = failure instanceof Error && 'syscall' in failure && 'code' in failure;
  return isSystemCall ? new OperatorError('disk-failed', { reason: failure.message }, failure) : undefined;
}

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, key: string) => String(details[key] ?? whole));
}
