/** Debian packages that a test file needs. */
import { installCommand, missingPackages } from '../../scripts/system-packages.mjs';

/**
 * Call it at the top of a test file. If a package is missing, the file fails once and immediately, with the command that
 * installs it, instead of each test at its timeout.
 */
export function requirePackages(...names: string[]): void {
  const missing = missingPackages(names);
  if (missing.length > 0) throw new Error(`Missing ${missing.join(', ')}. Run: ${installCommand(missing)}`);
}
