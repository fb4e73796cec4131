/** Where the build puts the TypeScript runtime; a file of its own, so that the service loads no part of a layer's build. */
import { resolve } from 'node:path';

/** Holds the runtime's bundle and its bootstrap; the same from src/ and from dist/. */
export const TYPESCRIPT_RUNTIME_DIRECTORY = resolve(import.meta.dirname, '../../../dist/runtimes/typescript');
