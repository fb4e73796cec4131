/** Which warnings of Node.js about a process do not fail a test. */

/** The AWS SDK announces the end of its support for Node.js 20. */
const EXPECTED = /NodeVersionSupportWarning/;

/** `text` is a warning as Node prints it, from its name on. */
export function isExpectedWarning(text: string): boolean {
  return EXPECTED.test(text);
}

/** The first warning in the error output of a Node process that no test expects. */
export function unexpectedWarningIn(errorOutput: string): string | undefined {
  const warnings = errorOutput.match(/^\(node:\d+\) .*Warning: .*$/gm) ?? [];
  return warnings.find((warning) => !isExpectedWarning(warning));
}
