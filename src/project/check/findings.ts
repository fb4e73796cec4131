/**
 * The checks of `lamella check`: what would be refused, fail or behave differently on AWS. docs/deploying.md has a table of
 * these rows; a test compares the two.
 */

type CheckRow = {
  /** `error`: AWS refuses it, or the function cannot work. `warning`: it probably fails. `note`: only to know. */
  readonly level: 'error' | 'warning' | 'note';
  /** For docs/deploying.md. */
  readonly finds: string;
};

export const CHECKS = {
  template: { level: 'error', finds: 'what `lamella validate` finds in the template' },
  'runtime-retired': { level: 'error', finds: 'a runtime that AWS no longer accepts, or does not know' },
  'runtime-deprecated': { level: 'warning', finds: 'a runtime that AWS has deprecated' },
  'size-unzipped': { level: 'error', finds: 'code and layers of a function of more than 250 MB together' },
  'layer-count': { level: 'error', finds: 'more than 5 layers of a function' },
  'environment-size': { level: 'error', finds: 'environment variables of more than 4 KB' },
  'environment-reserved': { level: 'error', finds: 'environment variables with names that AWS reserves' },
  'url-permission': {
    level: 'warning',
    finds: 'a function URL with AuthType NONE and without the permissions for everybody',
  },
  'bootstrap-missing': { level: 'error', finds: 'a custom runtime without `bootstrap` in the package or in a layer' },
  'bootstrap-mode': { level: 'error', finds: '`bootstrap` or an extension that is not executable' },
  'crlf-shebang': { level: 'error', finds: 'a script whose first line ends with a carriage return' },
  'interpreter-missing': { level: 'error', finds: 'a script whose interpreter does not exist on Amazon Linux 2023' },
  architecture: {
    level: 'error',
    finds: 'a program or library for another processor than that of the function or layer',
  },
  'elf-damaged': { level: 'error', finds: 'a program or library that is damaged' },
  'library-missing': {
    level: 'error',
    finds: 'a library that neither the function, its layers nor Amazon Linux 2023 has',
  },
  glibc: { level: 'error', finds: 'a program that needs a newer glibc than the runtime has' },
  'handler-missing': { level: 'warning', finds: 'a handler whose file is not in the package or in a layer' },
  'write-outside-tmp': {
    level: 'warning',
    finds: 'code of PHP, Node.js or Python that writes to a path outside of /tmp',
  },
  'role-permission': { level: 'warning', finds: 'calls of the AWS SDK that the role of the function does not allow' },
  'resource-recorded': { level: 'note', finds: 'resources that act on AWS and are only recorded by Lamella' },
} as const satisfies Record<string, CheckRow>;

export type CheckCode = keyof typeof CHECKS;

export type Finding = {
  readonly code: CheckCode;
  readonly level: CheckRow['level'];
  /** The function, layer or other resource. */
  readonly logicalId: string | undefined;
  readonly message: string;
  /** What to do, one sentence. */
  readonly remedy: string;
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
};

/** A finding with the level of its row. */
export function finding(code: CheckCode, details: Omit<Finding, 'code' | 'level'>): Finding {
  return { code, level: CHECKS[code].level, ...details };
}

/** By file, line and code. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const order = { error: 0, warning: 1, note: 2 } as const;
  return [...findings].sort(
    (a, b) =>
      order[a.level] - order[b.level] ||
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.code < b.code ? -1 : 1),
  );
}
