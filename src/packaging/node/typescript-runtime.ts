/**
 * The directory of the built TypeScript runtime. A separate file, so that the service does not load the layer builder.
 */
import { join } from 'node:path';
import { PACKAGE_DIRECTORY } from '../../package-directory.ts';

/** Contains the runtime's bundle and bootstrap. */
export const TYPESCRIPT_RUNTIME_DIRECTORY = join(PACKAGE_DIRECTORY, 'dist/runtimes/typescript');
