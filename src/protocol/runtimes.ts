/**
 * Runtime identifiers: the ones that AWS accepts for new functions, the ones that it has retired, and its errors for
 * the rest. Sources: recorded responses of CreateFunction (2025-11) and
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
 */
import type { ServiceErrorCode } from './service-errors.ts';

type RuntimeRow = {
  /** AWS accepts it for CreateFunction and UpdateFunctionConfiguration. */
  readonly accepted: boolean;
  /** The function has its own `bootstrap`. */
  readonly custom?: true;
  /** Supports SnapStart. */
  readonly snapStart?: true;
};

/** The accepted ones are in the order of AWS's messages. */
export const RUNTIMES: Readonly<Record<string, RuntimeRow>> = {
  'nodejs20.x': { accepted: true },
  'python3.14': { accepted: true, snapStart: true },
  'provided.al2023': { accepted: true, custom: true },
  'python3.12': { accepted: true, snapStart: true },
  'python3.13': { accepted: true, snapStart: true },
  'nodejs24.x': { accepted: true },
  'nodejs22.x': { accepted: true },
  java25: { accepted: true, snapStart: true },
  'python3.10': { accepted: true },
  'python3.11': { accepted: true },
  java21: { accepted: true, snapStart: true },
  'ruby3.3': { accepted: true },
  'ruby3.4': { accepted: true },
  'ruby3.2': { accepted: true },
  'python3.8': { accepted: true },
  'python3.9': { accepted: true },
  java17: { accepted: true, snapStart: true },
  'nodejs16.x': { accepted: true },
  dotnet10: { accepted: true, snapStart: true },
  dotnet8: { accepted: true, snapStart: true },
  java11: { accepted: true, snapStart: true },
  dotnet6: { accepted: true },
  'nodejs18.x': { accepted: true },
  'provided.al2': { accepted: true, custom: true },
  'java8.al2': { accepted: true },
  'ruby4.0': { accepted: true },
  // From the API model (botocore 1.43.107); where AWS lists them in its messages is not recorded.
  'java8.al2023': { accepted: true },
  'java11.al2023': { accepted: true, snapStart: true },
  'java17.al2023': { accepted: true, snapStart: true },
  'nodejs26.x': { accepted: true },
  'python3.15': { accepted: true, snapStart: true },

  provided: { accepted: false, custom: true },
  'go1.x': { accepted: false },
  java8: { accepted: false },
  nodejs: { accepted: false },
  'nodejs4.3': { accepted: false },
  'nodejs4.3-edge': { accepted: false },
  'nodejs6.10': { accepted: false },
  'nodejs8.10': { accepted: false },
  'nodejs10.x': { accepted: false },
  'nodejs12.x': { accepted: false },
  'nodejs14.x': { accepted: false },
  'python2.7': { accepted: false },
  'python3.6': { accepted: false },
  'python3.7': { accepted: false },
  'dotnetcore1.0': { accepted: false },
  'dotnetcore2.0': { accepted: false },
  'dotnetcore2.1': { accepted: false },
  'dotnetcore3.1': { accepted: false },
  'ruby2.5': { accepted: false },
  'ruby2.7': { accepted: false },
};

/**
 * When AWS deprecates runtimes that it still accepts, as far as a date is published.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtimes-supported
 */
const DEPRECATIONS: Readonly<Record<string, string>> = {
  'nodejs16.x': '2024-06-12',
  'nodejs18.x': '2025-09-01',
  'nodejs20.x': '2026-04-30',
  'nodejs22.x': '2027-04-30',
  'nodejs24.x': '2028-04-30',
  'python3.8': '2024-10-14',
  'python3.9': '2025-12-15',
  'python3.10': '2026-10-31',
  'python3.11': '2027-06-30',
  'python3.12': '2028-10-31',
  dotnet6: '2024-12-20',
  dotnet8: '2026-11-10',
  'ruby3.2': '2026-03-31',
  'ruby3.3': '2027-03-31',
  'provided.al2': '2026-07-31',
};

/** The date from which AWS deprecates a runtime, `2026-04-30`; undefined if none is known. */
export function deprecationOf(runtime: string): string | undefined {
  return Object.hasOwn(DEPRECATIONS, runtime) ? DEPRECATIONS[runtime] : undefined;
}

export type RuntimeStatus = 'accepted' | 'retired' | 'unknown';

/** Whether AWS accepts a runtime, no longer accepts it, or does not know it. */
export function runtimeStatusOf(runtime: string): RuntimeStatus {
  const row = Object.hasOwn(RUNTIMES, runtime) ? RUNTIMES[runtime] : undefined;
  if (row === undefined) return 'unknown';
  return row.accepted ? 'accepted' : 'retired';
}

/** Whether functions of this runtime have their own `bootstrap`. */
export function isCustomRuntime(runtime: string): boolean {
  return Object.hasOwn(RUNTIMES, runtime) && RUNTIMES[runtime]?.custom === true;
}

export function supportsSnapStart(runtime: string): boolean {
  return Object.hasOwn(RUNTIMES, runtime) && RUNTIMES[runtime]?.snapStart === true;
}

/** `[nodejs20.x, python3.14, ...]`, the list in AWS's messages. */
export function renderAcceptedRuntimes(): string {
  const names = Object.keys(RUNTIMES).filter((name) => RUNTIMES[name]?.accepted);
  return `[${names.join(', ')}]`;
}

/** The exception of all errors about runtimes. */
export const RUNTIME_ERROR: ServiceErrorCode = 'InvalidParameterValueException';

export function renderUnknownRuntime(runtime: string): string {
  return (
    `Value ${runtime} at 'runtime' failed to satisfy constraint: ` +
    `Member must satisfy enum value set: ${renderAcceptedRuntimes()} or be a valid ARN`
  );
}

export function renderRetiredRuntime(runtime: string): string {
  return (
    `The runtime parameter of ${runtime} is no longer supported for creating or updating AWS Lambda functions. ` +
    'We recommend you use a supported runtime while creating or updating functions.'
  );
}
