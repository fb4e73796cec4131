/**
 * The directory of the built TypeScript runtime. A separate file, so that the service does not load the layer builder.
 */
import { resolve } from 'node:path';

/** Contains the runtime's bundle and bootstrap. The path is the same from src/ and from dist/. */
export const TYPESCRIPT_RUNTIME_DIRECTORY = resolve(import.meta.dirname, '../../../dist/runtimes/typescript');
