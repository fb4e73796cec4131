/** Where this package is: the directory that contains `src/` or `dist/`, `bin/` and `runtimes/`. */
import { resolve } from 'node:path';

/** The same from src/, from dist/ and from the bundled command line, dist/program.js (`scripts/build.mjs`). */
export const PACKAGE_DIRECTORY = resolve(import.meta.dirname, '..');
