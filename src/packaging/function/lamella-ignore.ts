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
  /** The same rules, except that they cannot leave out `directories` themselves. They still apply below. */
  including(directories: readonly string[]): IgnoreRules;
};

export const IGNORE_FILE = '.lamellaignore';

/** Ignored by default; a pattern with `!` in the file includes them again. */
const DEFAULT_PATTERNS = ['.git/', '.svn/', '.hg/', '.DS_Store', 'Thumbs.db', `/${IGNORE_FILE}`];

/** Parses the text of an ignore file, which may be empty. */
export function parseIgnore(text: string): IgnoreRules {
  return rulesOf([...DEFAULT_PATTERNS, ...text.split(/\r?\n/)]);
}

function rulesOf(patterns: readonly string[]): IgnoreRules {
  const rules = ignore({ ignorecase: false }).add(patterns);
  return {
    ignores: (path, isDirectory) => rules.ignores(isDirectory ? `${path}/` : path),
    including: (directories) => rulesOf([...patterns, ...directories.flatMap(includePatterns)]),
  };
}

/** `a/b` -> `!/a/`, `!/a/b/`: the later pattern decides, and git enters a directory only from its parent. */
function includePatterns(directory: string): string[] {
  const parts = directory.replace(/[\\*?[\]]/g, '\\$&').split('/');
  return parts.map((_, index) => `!/${parts.slice(0, index + 1).join('/')}/`);
}
