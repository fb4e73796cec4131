/**
 * Where modules are looked for beside the function's own: the layers' folders of NODE_PATH, with AWS's default. Node
 * asks that variable for `require` only; on Lambda `import` finds the same, so it does here.
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

/** Sets NODE_PATH unless it is set, and makes both ways of loading follow it. */
export function extendModulePaths(variables: NodeJS.ProcessEnv, runtimeFolder: string, taskRoot: string): void {
  const major = process.versions.node.split('.', 1)[0];
  variables.NODE_PATH ??= [
    `/opt/nodejs/node${major}/node_modules`,
    '/opt/nodejs/node_modules',
    `${runtimeFolder}/node_modules`,
    runtimeFolder,
    taskRoot,
  ].join(':');
  const internals = Module as unknown as ModuleInternals;
  internals._initPaths();
  const folders = variables.NODE_PATH.split(':').filter((folder) => folder !== '' && existsSync(folder));
  if (folders.length === 0) return;
  if (internals.registerHooks) registerHooks(internals, folders);
  else registerThreadedHooks(folders);
}

function registerHooks(internals: ModuleInternals, folders: readonly string[]): void {
  internals.registerHooks?.({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (failure) {
        if (!isMissingPackage(failure, specifier)) throw failure;
        for (const folder of folders) {
          try {
            // As if a file beside the folder asked: Node's own rules for packages hold.
            return next(specifier, { ...context, parentURL: parentIn(folder) });
          } catch {
            // Not in this folder; the failure that counts is the first.
          }
        }
        throw failure;
      }
    },
  });
}

/** The same for older Node, whose hooks run in a thread of their own: only where there is a layer to look into. */
function registerThreadedHooks(folders: readonly string[]): void {
  const own = folders.filter((folder) => folder.startsWith('/opt/'));
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

function parentIn(folder: string): string {
  const base = folder.endsWith('/node_modules') ? join(folder, '..') : folder;
  return pathToFileURL(join(base, 'layer.mjs')).href;
}

/** A package by its name, not a file by its path. */
function isMissingPackage(failure: unknown, specifier: string): boolean {
  const { code } = failure as NodeJS.ErrnoException;
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && !/^[./]|^[a-z]+:/.test(specifier);
}
