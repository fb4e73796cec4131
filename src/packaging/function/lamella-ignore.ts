/**
 * What a function's package leaves out: `.lamellaignore`, written as .gitignore is
 * (https://git-scm.com/docs/gitignore#_pattern_format), on top of a few things that nobody wants in it.
 * A folder that is left out is not entered, so nothing below it can be taken back, as with git.
 */

/** Whether a path (from the folder's root, with `/`) is to be left out. */
export type Ignores = (path: string, isFolder: boolean) => boolean;

export const IGNORE_FILE = '.lamellaignore';

/** Left out unless the file takes them back with `!`. */
const ALWAYS = ['.git/', '.svn/', '.hg/', '.DS_Store', 'Thumbs.db', `/${IGNORE_FILE}`];

type Pattern = { readonly expression: RegExp; readonly isNegated: boolean; readonly isForFolders: boolean };

/** Reads the text of an ignore file; '' for none. */
export function parseIgnore(text: string): Ignores {
  const patterns = [...ALWAYS, ...text.split(/\r?\n/)].flatMap((line) => parsePattern(line) ?? []);
  return (path, isFolder) => {
    // The last pattern that matches decides.
    const decisive = patterns.findLast(
      ({ expression, isForFolders }) => (isFolder || !isForFolders) && expression.test(path),
    );
    return decisive !== undefined && !decisive.isNegated;
  };
}

function parsePattern(line: string): Pattern | undefined {
  // A space at the end counts only after a backslash.
  let glob = line.replace(/(?<!\\)[ \t]+$/, '');
  if (glob === '' || glob.startsWith('#')) return undefined;
  const isNegated = glob.startsWith('!');
  if (isNegated) glob = glob.slice(1);
  const isForFolders = glob.endsWith('/');
  if (isForFolders) glob = glob.slice(0, -1);
  // A slash anywhere but at the end ties the pattern to the root.
  const isAnchored = glob.includes('/');
  const expression = translate(glob.replace(/^\//, ''));
  return { expression: new RegExp(`^${isAnchored ? '' : '(?:.*/)?'}${expression}$`, 's'), isNegated, isForFolders };
}

/** A glob as the source of a regular expression. */
function translate(glob: string): string {
  let source = '';
  for (let at = 0; at < glob.length; at++) {
    const rest = glob.slice(at);
    const atStart = at === 0 || glob[at - 1] === '/';
    if (atStart && rest.startsWith('**/')) {
      source += '(?:.*/)?';
      at += 2;
    } else if (atStart && rest === '**') {
      source += '.+';
      at += 1;
    } else if (rest.startsWith('*')) {
      source += '[^/]*';
      while (glob[at + 1] === '*') at++;
    } else if (rest.startsWith('?')) {
      source += '[^/]';
    } else if (/^\[!?\]?[^\]]*\]/.test(rest)) {
      const [set = ''] = /^\[!?\]?[^\]]*\]/.exec(rest) ?? [];
      source += `(?!/)[${set
        .slice(1, -1)
        .replace(/^!/, '^')
        .replace(/[\\\]]/g, '\\$&')}]`;
      at += set.length - 1;
    } else if (rest.startsWith('\\') && rest.length > 1) {
      source += quote(rest[1] ?? '');
      at += 1;
    } else {
      source += quote(glob[at] ?? '');
    }
  }
  return source;
}

function quote(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}
