/** Types of `build.mjs` for the tests. */
export function bundleProgram(directory: string): boolean;
