/**
 * Where modules are found outside the function's package: the directories in NODE_PATH, which the bootstrap sets to AWS's
 * default. Node itself uses NODE_PATH for `require` only. On Lambda `import` finds the same modules, so it does here.
 */
import { existsSync } from 'node:fs';
import Module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

type Resolved = { readonly url: string };
type NextResolve = (specifier: string, context: { readonly parentURL?: string }) => Resolved;
type ModuleInternals = {
  _initPaths(): void;
  readonly globalPaths: readonly string[];
  /** Since Node 22.15. */
  registerHooks?(hooks: {
    resolve(specifier: string, context: { readonly parentURL?: string }, next: NextResolve): Resolved;
  }): unknown;
};

/**
 * Makes both `require` and `import` use NODE_PATH. The bootstrap knows the version of a managed runtime, but not that of
 * the Node in a layer: its directory is added here, unless the function chose a NODE_PATH.
 */
export function extendModulePaths(variables: NodeJS.ProcessEnv, runtimeDirectory: string, taskRoot: string): void {
  const usual = ['/opt/nodejs/node_modules', `${runtimeDirectory}/node_modules`, runtimeDirectory, taskRoot].join(':');
  const major = process.versions.node.split('.', 1)[0];
  const given = variables.NODE_PATH || usual;
  const path = given === usual ? `/opt/nodejs/node${major}/node_modules:${usual}` : given;
  variables.NODE_PATH = path;
  const internals = Module as unknown as ModuleInternals;
  internals._initPaths();
  const directories = path.split(':').filter((directory) => directory !== '' && existsSync(directory));
  if (directories.length === 0) return;
  if (internals.registerHooks) registerHooks(internals, directories);
  else registerThreadedHooks(directories);
}

function registerHooks(internals: ModuleInternals, directories: readonly string[]): void {
  internals.registerHooks?.({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (failure) {
        if (!isMissingPackage(failure, specifier)) throw failure;
        for (const directory of directories) {
          try {
            // Resolves as for a file next to the directory, so that Node's own rules for packages apply.
            return next(specifier, { ...context, parentURL: parentIn(directory) });
          } catch {
            // Not in this directory. If none has it, the first error is thrown.
          }
        }
        throw failure;
      }
    },
  });
}

/** For older Node, whose hooks run in a separate thread. Started only if there is a layer directory to search. */
function registerThreadedHooks(directories: readonly string[]): void {
  const own = directories.filter((directory) => directory.startsWith('/opt/'));
  if (own.length === 0) return;
  const parents = JSON.stringify(own.map(parentIn));
  const hooks = `const parents = ${parents};
export async function resolve(specifier, context, next) {
  try { return await next(specifier, context); } catch (failure) {
    if (failure?.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|^[a-z]+:/.test(specifier)) throw failure;
    for (const parentURL of parents) {
      try { return await next(specifier, { ...context, parentURL }); } catch {}
    }
    throw failure;
  }
}`;
  Module.register(`data:text/javascript,${encodeURIComponent(hooks)}`);
}

function parentIn(directory: string): string {
  const base = directory.endsWith('/node_modules') ? join(directory, '..') : directory;
  return pathToFileURL(join(base, 'layer.mjs')).href;
}

/** True for a package name, false for the path of a file. */
function isMissingPackage(failure: unknown, specifier: string): boolean {
  const { code } = failure as NodeJS.ErrnoException;
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && !/^[./]|^[a-z]+:/.test(specifier);
}
