/**
 * What a program says about a function, and the archive of its code. A definition is complete: what it leaves out has
 * AWS's default, also if the function had another value before.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { archive, type CodeArchive, readArchive, written } from './code-archive.ts';
import type { LayerSource } from './layers.ts';

/** A function. Exactly one of `directory`, `zip` and `code` has its code. */
export type FunctionDefinition = {
  readonly name: string;
  /** Packed as by `lamella package`: compiles TypeScript and leaves out what `.lamellaignore` and its defaults name. */
  readonly directory?: string;
  /** An archive: its path, or its bytes. */
  readonly zip?: string | Uint8Array;
  /**
   * The text of the handler's file, or files by path. The name of a single file follows from the handler: `index.mjs` for
   * `index.handler` and nodejs*, `index.py` for python*, `hello.php` for `hello.php`, otherwise `bootstrap`.
   */
  readonly code?: string | Readonly<Record<string, string | Uint8Array>>;
  /** Defaults to `index.handler`. */
  readonly handler?: string;
  /** Defaults to `provided.al2023`. */
  readonly runtime?: string;
  /** In order; later layers overwrite files of earlier ones. */
  readonly layers?: readonly LayerSource[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Seconds. Defaults to 3. */
  readonly timeout?: number;
  /** MB. Defaults to 128. */
  readonly memory?: number;
  /** Size of `/tmp` in MB. Defaults to 512. */
  readonly ephemeralStorage?: number;
  readonly description?: string;
  /** ARN. Defaults to `role/lamella`, which need not exist unless the service is strict. */
  readonly role?: string;
  /** Defaults to the one of this machine. */
  readonly architecture?: 'x86_64' | 'arm64';
  /** A function URL that everybody may call. Without it, the function has none. */
  readonly url?: boolean | FunctionUrlDefinition;
};

export type FunctionUrlDefinition = {
  /** Defaults to `NONE`. */
  readonly authType?: 'NONE' | 'AWS_IAM';
  /** Defaults to `BUFFERED`. */
  readonly invokeMode?: 'BUFFERED' | 'RESPONSE_STREAM';
};

/** The archive of a definition's code. @throws TypeError unless there is one source; OperatorError for a bad directory */
export async function archiveCode(definition: FunctionDefinition): Promise<CodeArchive> {
  const { name, directory, zip, code } = definition;
  if ([directory, zip, code].filter((source) => source !== undefined).length !== 1) {
    throw new TypeError(`The function ${name} needs its code in one of directory, zip and code.`);
  }
  if (directory !== undefined) return archive(await packed(directory, definition));
  if (zip !== undefined) return archive(typeof zip === 'string' ? await readArchive(zip) : Buffer.from(zip));
  const files = typeof code === 'string' ? { [fileNameOf(definition)]: code } : (code ?? {});
  return archive(await zipOfFiles(files));
}

async function packed(directory: string, { handler = 'index.handler' }: FunctionDefinition): Promise<Buffer> {
  const { packageFunction } = await import('../packaging/function/package-function.ts');
  // The handler's file, if it is TypeScript: the packager bundles it.
  const handlers = TYPESCRIPT.some((ending) => existsSync(join(directory, moduleOf(handler) + ending)))
    ? [handler]
    : [];
  return written((output) =>
    packageFunction({ directory, output, bundle: true, ...(handlers.length > 0 && { handlers }) }),
  );
}

const TYPESCRIPT = ['.ts', '.mts', '.cts', '.tsx'];

function moduleOf(handler: string): string {
  return handler.slice(0, handler.lastIndexOf('.')) || handler;
}

async function zipOfFiles(files: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const { writeZip } = await import('../packaging/zip-writer.ts');
  const entries = Object.entries(files).map(([path, content]) => ({
    path,
    mode: isProgram(path, content) ? 0o755 : 0o644,
    content: { kind: 'bytes' as const, bytes: Buffer.from(content) },
  }));
  return written((output) => writeZip(output, entries));
}

/** Lambda starts the bootstrap, and a bootstrap often starts scripts. */
function isProgram(path: string, content: string | Uint8Array): boolean {
  return path === 'bootstrap' || Buffer.from(content.slice(0, 2)).toString() === '#!';
}

function fileNameOf({ handler = 'index.handler', runtime = 'provided.al2023' }: FunctionDefinition): string {
  if (/\.(php|sh)$/.test(handler)) return handler;
  const module = moduleOf(handler);
  if (runtime.startsWith('nodejs')) return `${module}.mjs`;
  if (runtime.startsWith('python')) return `${module.replaceAll('.', '/')}.py`;
  return 'bootstrap';
}
