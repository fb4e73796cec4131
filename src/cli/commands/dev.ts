/**
 * `lamella dev`: runs a project and keeps it running while its files change. The service is started in this process; its
 * data belong to the project. What the project is and what changes is in `src/dev/`; here is what the developer sees.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { systemClock } from '../../clock.ts';
import type { DevEvent } from '../../dev/dev-session.ts';
import type { Endpoints } from '../../dev/endpoints.ts';
import type { Sources } from '../../dev/sources.ts';
import type { EmbeddedLamella } from '../../lamella.ts';
import { OperatorError } from '../../operator-error.ts';
import { isGiven, OPTIONS, type Options, resolveBuildOptions, resolveOptions } from '../../options.ts';
import type { Run } from '../command.ts';
import { type HotKeys, listenForKeys } from '../dev/hot-keys.ts';
import { devEventForJson, renderDevEvent, renderEndpoints } from '../dev/render-dev.ts';
import { closeInTime, explainPort, firstSignal, openActivity, STOP_MS } from '../foreground-service.ts';
import { printStatus, printWarning, warnOfOpenHost, writeResult } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { checkReadyFile, removeReadyFile, writeReadyFile } from '../ready-file.ts';
import { recordService } from '../running-service.ts';
import { parameterOverrides } from '../template-file.ts';

/** The event that was sent last, to send it again. */
type LastEvent = { readonly functionName: string; readonly payload: Buffer };

export const run: Run = async ({ args, given }) => {
  const stopped = firstSignal();
  const [{ findProject }, { createDevSession }, { createSources, DEV_BUCKET }, { findEndpoints }] = await Promise.all([
    import('../../dev/project.ts'),
    import('../../dev/dev-session.ts'),
    import('../../dev/sources.ts'),
    import('../../dev/endpoints.ts'),
  ]);
  const place = findProject(args[0]);
  const identity = createHash('sha256')
    .update(place.file ?? place.code)
    .digest('hex')
    .slice(0, 8);
  const options = optionsOf(given, place.directory, identity);
  if (options.readyFile !== undefined) checkReadyFile(options.readyFile);
  warnOfOpenHost(options);
  const parameters = parameterOverrides(given.parameterOverrides, 'dev');
  const scope = { region: options.region, account: options.accountId };
  const { cacheDir } = resolveBuildOptions({}, 'dev');
  const temporary = options.ephemeral ? realpathSync(mkdtempSync(join(tmpdir(), 'lamella-dev-'))) : undefined;
  if (temporary !== undefined) process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));
  const buildDirectory = join(temporary ?? options.dataDir, 'build');
  const print = (text: string) => process.stdout.write(text);
  const isColored = process.stdout.isTTY === true && process.stdout.hasColors();

  let last: LastEvent | undefined;
  let endpoints: Endpoints | undefined;
  let directories = new Map<string, string>();
  const activity = options.quiet ? undefined : await openActivity(options, (name) => directories.get(name));
  let service: EmbeddedLamella | undefined;
  let session: ReturnType<typeof createDevSession> | undefined;
  const sources: Sources = createSources({
    buildDirectory,
    cacheDir,
    upload: async (key, content) => {
      await service?.call(scope, 's3', 'CreateBucket', { Bucket: DEV_BUCKET }).catch(() => undefined);
      await service?.writeObject(DEV_BUCKET, key, content);
    },
    renew: (directory) => service?.hotDirectories.renew(directory),
    onStale: () => session?.refresh(),
    onBuilt: (logicalId, result) => session?.built(logicalId, result),
    onProgress: (message) => {
      if (!options.json) printStatus(message);
    },
    onLimit: (setting) => printWarning(limitWarning(setting)),
    clock: systemClock,
  });
  const repository = repositoryOf(place.directory);
  const opened = await open(options, given, {
    observe: activity?.observe,
    onInvoke: (functionName, payload) => {
      last = { functionName, payload };
    },
    directories: {
      has: sources.has,
      complete: sources.complete,
      allowed: () => [...sources.allowed(), ...(repository === undefined ? [] : [repository])],
    },
  });
  service = opened;
  const ready = { lambda: opened.url, http: opened.http.url, pid: process.pid };
  const { dataDir, ephemeral, region, accountId } = options;
  const record = {
    lambda: ready.lambda,
    http: ready.http,
    dataDir,
    ephemeral,
    region,
    accountId,
    project: place.directory,
  };
  const forget = recordService(record);
  const announce = (event: DevEvent) => {
    if (options.json) print(`${JSON.stringify(devEventForJson(event, systemClock.epochMs(), endpoints))}\n`);
    else print(renderDevEvent(event, systemClock.epochMs(), isColored, textOf(place.file)));
  };
  let isReady = false;
  let reporting = Promise.resolve();
  const onDeployed = async (event: DevEvent & { kind: 'deployed' }) => {
    directories = sourceDirectories(event);
    const before = endpoints === undefined ? undefined : renderEndpoints(endpoints);
    endpoints = await findEndpoints(opened, scope, event.stack);
    announce(event);
    const after = renderEndpoints(endpoints);
    if (!options.json && after !== before) print(`\n${after}\n`);
    if (isReady) return;
    isReady = true;
    if (options.readyFile !== undefined) writeReadyFile(options.readyFile, ready);
    activity?.show();
    if (!options.json) print(`${keys?.line ?? 'Press Ctrl+C to stop.'}\n`);
  };
  const created = createDevSession({
    ...{ place, service: opened, sources, scope, parameters },
    envFiles: envFilesOf(given, place.directory),
    envVars: given.envVars === undefined ? undefined : resolve(String(given.envVars)),
    onLeftOut: (names) =>
      printWarning(
        `Functions do not get ${names.join(', ')}: Lambda sets these variables itself, or does not allow the names.`,
      ),
    report: (event) => {
      // In order: finding the addresses takes a moment.
      reporting = reporting.then(() => (event.kind === 'deployed' ? onDeployed(event) : announce(event)));
    },
    clock: systemClock,
  });
  session = created;

  let quit: () => void = () => undefined;
  const isQuit = new Promise<void>((settle) => {
    quit = settle;
  });
  const keys: HotKeys | undefined = options.json
    ? undefined
    : listenForKeys(
        [
          { key: 'i', help: 'invoke with the last event again', press: () => void again() },
          {
            key: 'l',
            help: 'list addresses',
            press: () => print(`\n${endpoints ? renderEndpoints(endpoints) : ''}\n`),
          },
          { key: 'r', help: 'deploy again', press: () => created.refresh() },
          { key: 'c', help: 'clear', press: () => print('\x1b[2J\x1b[3J\x1b[H') },
          { key: 'q', help: 'quit', press: () => quit() },
        ],
        () => quit(),
      );
  const again = async () => {
    if (last === undefined) return void print('There was no event yet.\n');
    const { functionName, payload } = last;
    const input = { FunctionName: functionName, Payload: payload.toString('base64') };
    const { Payload } = await opened.call(scope, 'lambda', 'Invoke', input).catch((failure: Error) => ({
      Payload: Buffer.from(failure.message).toString('base64'),
    }));
    print(
      `    ${functionName} -> ${Buffer.from(String(Payload ?? ''), 'base64')
        .toString()
        .slice(0, 2000)}\n`,
    );
  };

  let exitCode = 0;
  try {
    await writeResult(options.json ? `${JSON.stringify(ready)}\n` : banner(options, ready, place.file ?? place.code));
    await created.start();
    await reporting;
    activity?.show();
    await Promise.race([stopped, isQuit]);
  } finally {
    keys?.close();
    if (options.readyFile !== undefined) removeReadyFile(options.readyFile);
    await created.close();
    const isClosed = await closeInTime(opened);
    activity?.end();
    forget();
    if (!isClosed) {
      printStatus(`The service did not stop within ${STOP_MS / 1000} seconds. Exiting now.`);
      exitCode = 1;
    } else if (!options.json && !options.quiet) await writeResult(farewell(options));
  }
  // Resources that are still open must not keep the process running.
  process.exit(exitCode);
};

/** The options of the service. Its data belong to the project unless a directory is given. */
function optionsOf(given: Parameters<Run>[0]['given'], directory: string, identity: string): Options {
  const options = resolveOptions(given);
  if (isGiven(OPTIONS.dataDir, given.dataDir)) return options;
  const name = `${directory.split('/').at(-1) || 'root'}-${identity}`;
  return { ...options, dataDir: join(dirname(options.dataDir), 'lamella-dev', name) };
}

/** Starts the service. If the default port is taken, on another one. */
async function open(
  options: Options,
  given: Parameters<Run>[0]['given'],
  embedding: Parameters<typeof import('../../lamella.ts')['startQuietly']>[1],
): Promise<EmbeddedLamella> {
  const { startQuietly } = await import('../../lamella.ts');
  try {
    return await startQuietly(options, embedding);
  } catch (failure) {
    const isTaken = failure instanceof OperatorError && failure.code === 'port-in-use';
    if (!isTaken || isGiven(OPTIONS.port, given.port)) throw (await explainPort(failure, options)) ?? failure;
    const running = await explainPort(failure, options);
    printStatus(`${(running ?? failure).message} Using a free port instead.`);
    return startQuietly({ ...options, port: 0 }, embedding);
  }
}

/** The directory of the repository that has the project, so that links to its other parts work. */
function repositoryOf(directory: string): string | undefined {
  for (let parent = directory; dirname(parent) !== parent; parent = dirname(parent)) {
    if (existsSync(join(parent, '.git'))) return parent;
  }
  return undefined;
}

/** `.env` beside the template if it is there, or the files of --env-file, which must be. */
function envFilesOf(given: Parameters<Run>[0]['given'], directory: string) {
  if (given.envFile === undefined) return [{ file: join(directory, '.env'), isRequired: false }];
  return [given.envFile].flat().map((file) => ({ file: resolve(String(file)), isRequired: true }));
}

/** The template as it is now; undefined without one. */
function textOf(file: string | undefined): { name: string; text: string } | undefined {
  if (file === undefined) return undefined;
  try {
    return { name: relative(process.cwd(), file), text: readFileSync(file, 'utf8') };
  } catch {
    return undefined;
  }
}

/** By a function's name, the directory of its code as seen from here. */
function sourceDirectories({ project, stack }: DevEvent & { kind: 'deployed' }): Map<string, string> {
  return new Map(
    project.artifacts.flatMap(({ logicalId, source }): [string, string][] => {
      const name = stack.resources.find((resource) => resource.logicalId === logicalId)?.physicalId;
      const path = relative(process.cwd(), source);
      return name === undefined ? [] : [[name, path.startsWith('../..') ? source : path]];
    }),
  );
}

function banner(options: Options, ready: { lambda: string; http: string }, project: string): string {
  const data = options.ephemeral ? 'a temporary directory, which is removed at the end' : options.dataDir;
  return [
    `Lamella ${packageVersion()} runs ${relative(process.cwd(), project) || '.'}`,
    '',
    `  Lambda API    ${ready.lambda}`,
    `  HTTP          ${ready.http}`,
    `  Data          ${data}`,
    '',
    '',
  ].join('\n');
}

function farewell({ ephemeral, dataDir }: Options): string {
  return ephemeral ? 'Stopped. The temporary data was removed.\n' : `Stopped. The data is in ${dataDir}.\n`;
}

function limitWarning(setting: string): string {
  const value = setting.endsWith('watches') ? 524_288 : 1024;
  return (
    'This machine has too few inotify watches for the project, so a part of it is read every half second instead. ' +
    `Allow more: sudo sysctl ${setting}=${value}`
  );
}
