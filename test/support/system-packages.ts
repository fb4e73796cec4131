/** Debian packages that a test file needs. */
import { installCommand, missingPackages } from '../../scripts/system-packages.mjs';

/**
 * Call it at the top of a test file: if a package is missing, the file fails once and at once, with the command that
 * installs everything, instead of each of its tests at its timeout.
 */
export function requirePackages(...names: string[]): void {
  const missing = missingPackages(names);
  if (missing.length > 0) throw new Error(`Missing ${missing.join(', ')}. Run: ${installCommand(missing)}`);
}
