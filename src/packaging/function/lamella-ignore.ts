/**
 * The files that a function's package leaves out: version control's own, and those that `.lamellaignore` names. The
 * file has the syntax of .gitignore (https://git-scm.com/docs/gitignore#_pattern_format), case-sensitive, read by the
 * npm package `ignore`. As in git, nothing below an ignored directory can be included again.
 */
import ignore from 'ignore';

/** The rules of one ignore file. Paths are relative to its directory and have `/` between their parts. */
export type IgnoreRules = {
  /** Whether a path is left out, by itself or with a directory above it. */
  ignores(path: string, isDirectory: boolean): boolean;
  /** Whether a pattern with `!` includes a path. */
  includes(path: string, isDirectory: boolean): boolean;
  /** Whether the user wants to know that a path was left out: not for version control. */
  isNotable(path: string, isDirectory: boolean): boolean;
  /** The same rules, except that they cannot leave out `directories` themselves. They still apply below. */
  including(directories: readonly string[]): IgnoreRules;
};

export const IGNORE_FILE = '.lamellaignore';

/** Never worth a line in the list of what was left out. */
const VERSION_CONTROL = ['.git/', '.svn/', '.hg/', '.DS_Store', 'Thumbs.db', `/${IGNORE_FILE}`];
const SCRIPTS = ['js', 'cjs', 'mjs', 'jsx', 'ts', 'cts', 'mts', 'tsx'];
/** Ignored by default; a pattern with `!` in the file includes them again. docs/everyday.md lists them. */
const DEFAULT_PATTERNS = [
  ...VERSION_CONTROL,
  // Secrets.
  ...['.env', '.env.*', '.npmrc', '/auth.json'],
  // Tests.
  ...['/test/', '/tests/', '__tests__/', '/coverage/', '/phpunit.xml*', '.phpunit.*'],
  ...SCRIPTS.flatMap((extension) => [`*.test.${extension}`, `*.spec.${extension}`]),
  // Packages of other files, and what tools leave behind.
  ...['/*.zip', '/*.tar', '/*.tar.gz', '/*.tgz', '/*.zip.*.part', 'npm-debug.log*'],
  ...['/.aws-sam/', '/.serverless/', '/cdk.out/', '.terraform/', '.vscode/', '.idea/'],
  ...['node_modules/.cache/', 'node_gyp_bins/'],
  // What packages bring is theirs: a package may need a directory with one of these names.
  ...['!node_modules/**/__tests__/', '!node_modules/**/*.test.*', '!node_modules/**/*.spec.*', '!vendor/**/__tests__/'],
];

/** Parses the text of an ignore file, which may be empty. */
export function parseIgnore(text: string): IgnoreRules {
  return rulesOf([...DEFAULT_PATTERNS, ...text.split(/\r?\n/)]);
}

function rulesOf(patterns: readonly string[]): IgnoreRules {
  const rules = ignore({ ignorecase: false }).add(patterns);
  const unnotable = ignore({ ignorecase: false }).add(VERSION_CONTROL);
  return {
    ignores: (path, isDirectory) => rules.ignores(isDirectory ? `${path}/` : path),
    includes: (path, isDirectory) => rules.test(isDirectory ? `${path}/` : path).unignored,
    isNotable: (path, isDirectory) => !unnotable.ignores(isDirectory ? `${path}/` : path),
    including: (directories) => rulesOf([...patterns, ...directories.flatMap(includePatterns)]),
  };
}

/** `a/b` -> `!/a/`, `!/a/b/`: the later pattern decides, and git enters a directory only from its parent. */
function includePatterns(directory: string): string[] {
  const parts = directory.replace(/[\\*?[\]]/g, '\\$&').split('/');
  return parts.map((_, index) => `!/${parts.slice(0, index + 1).join('/')}/`);
}
