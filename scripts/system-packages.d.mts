export function missingPackages(names: readonly string[]): string[];
export function installCommand(names: readonly string[]): string;
