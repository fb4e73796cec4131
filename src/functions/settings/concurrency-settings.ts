/**
 * Reserved and provisioned concurrency. Admission reads both from memory. `invocation/` prepares the provisioned
 * environments.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
 */
import type { Clock } from '../../clock.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import { renderDateInSeconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Database } from '../../storage/database.ts';
import { type Page, pageOf, positionOrStart } from '../../storage/page.ts';
import { type Aliases, WEIGHTS_AND_PROVISIONED } from '../aliases.ts';
import type { FunctionDirectory } from '../function-directory.ts';
import { isAliasName } from '../function-directory.ts';
import { createAllocations, type Provisioned, requestedBy } from './concurrency-allocations.ts';
import { createSettingDocuments } from './setting-documents.ts';

export type ProvisionedConcurrency = {
  /** A version or an alias. */
  readonly qualifier: string;
  readonly requested: number;
  /** `2026-11-22T10:00:00+0000` */
  readonly lastModified: string;
};

export type ConcurrencyShares = {
  /**
   * The account's concurrency that is neither reserved nor provisioned for versions of functions without a reservation.
   */
  readonly account: number;
  /** The function's reservation minus what is provisioned for its versions; undefined without a reservation. */
  readonly reserved: number | undefined;
  /** Provisioned for the version. */
  readonly provisioned: number;
};

export type ConcurrencySettings = {
  /** Concurrent executions of all functions of an account and region. */
  readonly account: number;
  /** The function's reservation, which is also its maximum; undefined when it shares the account's concurrency. */
  reserved(scope: Scope, name: string): number | undefined;
  reserve(scope: Scope, name: string, count: number): void;
  release(scope: Scope, name: string): void;
  /** What functions without a reservation share. */
  unreserved(scope: Scope): number;
  /** The limits for invocations of a version. Only the version itself can use what is provisioned for it. */
  sharesOf(scope: Scope, name: string, version: string): ConcurrencyShares;
  /** The version that is prepared for a qualifier. For an alias with weights, its main version. */
  preparedVersion(scope: Scope, name: string, qualifier: string): string;
  provision(scope: Scope, name: string, qualifier: string, count: number): ProvisionedConcurrency;
  provisioned(scope: Scope, name: string, qualifier: string): ProvisionedConcurrency | undefined;
  unprovision(scope: Scope, name: string, qualifier: string): void;
  listProvisioned(
    scope: Scope,
    name: string,
    page: { readonly marker: string | undefined; readonly maxItems: number },
  ): Page<ProvisionedConcurrency>;
  /** All provisioned concurrency of all scopes. */
  everyProvision(): {
    readonly scope: Scope;
    readonly name: string;
    readonly qualifier: string;
    readonly count: number;
  }[];
  /** Clears the caches. Call it when a function was deleted, which deletes its settings. */
  invalidate(): void;
};

/** All methods throw `ServiceError`s as AWS does. */
export function createConcurrencySettings({
  database,
  directory,
  aliases,
  clock,
  accountConcurrency,
}: {
  database: Database;
  directory: FunctionDirectory;
  aliases: Pick<Aliases, 'find'>;
  clock: Clock;
  /** Concurrent executions of all functions of an account and region. */
  accountConcurrency: number;
}): ConcurrencySettings {
  const reservations = createSettingDocuments<number>(database, 'reserved-concurrency');
  const provisions = createSettingDocuments<Provisioned>(database, 'provisioned-concurrency');

  const allocations = createAllocations(reservations, provisions);
  const reservedTotal = (scope: Scope) => allocations.of(scope).reservedTotal;
  const provisionsOf = (scope: Scope, name: string) => allocations.of(scope).provisioned.get(name) ?? [];
  const preparedVersion = (scope: Scope, name: string, qualifier: string) =>
    (isAliasName(qualifier) ? aliases.find(scope, name, qualifier)?.version : undefined) ?? qualifier;
  const checkQualifier = (scope: Scope, name: string, qualifier: string, latest: string) => {
    if (qualifier === '$LATEST') throw refusal(latest);
    directory.requireQualifier(scope, name, qualifier);
  };

  function checkOverlap(scope: Scope, name: string, qualifier: string): void {
    const others = provisionsOf(scope, name).filter((setting) => setting.qualifier !== qualifier);
    const version = preparedVersion(scope, name, qualifier);
    const clash = others.find((other) => preparedVersion(scope, name, other.qualifier) === version);
    if (clash === undefined) return;
    throw new ServiceError(
      'ResourceConflictException',
      isAliasName(qualifier)
        ? "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        : 'Version is pointed by a Provisioned Concurrency alias',
    );
  }

  function checkAccount(scope: Scope, name: string, qualifier: string, count: number): void {
    const present = provisionsOf(scope, name);
    const before = requestedBy(present.filter((setting) => setting.qualifier === qualifier));
    const reserved = reservations.get(scope, name, '');
    if (reserved !== undefined) {
      if (requestedBy(present) - before + count > reserved) {
        throw refusal(
          'Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function',
        );
      }
      return;
    }
    const others = allocations.of(scope).provisionedUnreserved - before;
    const unreserved = accountConcurrency - reservedTotal(scope) - others;
    if (count > unreserved) {
      throw untyped(
        `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${unreserved}].`,
      );
    }
    if (unreserved - count < QUOTAS.unreservedConcurrencyMin) {
      throw untyped(
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its " +
          `minimum value of [${QUOTAS.unreservedConcurrencyMin}].`,
      );
    }
  }

  return {
    account: accountConcurrency,
    reserved: (scope, name) => reservations.get(scope, name, ''),
    reserve(scope, name, count) {
      directory.requireFunction(scope, name, '$LATEST');
      const provisioned = requestedBy(provisionsOf(scope, name));
      if (count < provisioned) {
        throw untyped(
          ` ReservedConcurrentExecutions  ${count} should not be lower than ` +
            `function's total provisioned concurrency [${provisioned}].`,
        );
      }
      const own = reservations.get(scope, name, '');
      // From now on, what is provisioned for this function is taken from its reservation.
      const ofOthers = allocations.of(scope).provisionedUnreserved - (own === undefined ? provisioned : 0);
      const left = accountConcurrency - reservedTotal(scope) + (own ?? 0) - ofOthers - count;
      // Recorded on AWS: 0 can always be reserved, to disable a function.
      if (count > 0 && left < QUOTAS.unreservedConcurrencyMin) {
        throw untyped(
          "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution " +
            `below its minimum value of [${QUOTAS.unreservedConcurrencyMin}].`,
        );
      }
      reservations.put(scope, name, '', count);
      allocations.clear();
    },
    release(scope, name) {
      directory.requireFunction(scope, name);
      reservations.remove(scope, name, '');
      allocations.clear();
    },
    unreserved: (scope) => accountConcurrency - reservedTotal(scope),
    sharesOf(scope, name, version) {
      const { reservedTotal: reservedByAll, provisionedUnreserved } = allocations.of(scope);
      const account = accountConcurrency - reservedByAll - provisionedUnreserved;
      const reserved = reservations.get(scope, name, '');
      const present = provisionsOf(scope, name);
      if (present.length === 0) return { account, reserved, provisioned: 0 };
      return {
        account,
        reserved: reserved && reserved - requestedBy(present),
        provisioned: requestedBy(
          present.filter((setting) => preparedVersion(scope, name, setting.qualifier) === version),
        ),
      };
    },
    preparedVersion,
    provision(scope, name, qualifier, count) {
      checkQualifier(
        scope,
        name,
        qualifier,
        'Provisioned Concurrency Configs cannot be applied to unpublished function versions.',
      );
      if (isAliasName(qualifier) && Object.keys(aliases.find(scope, name, qualifier)?.weights ?? {}).length > 0) {
        throw refusal(WEIGHTS_AND_PROVISIONED);
      }
      checkOverlap(scope, name, qualifier);
      checkAccount(scope, name, qualifier, count);
      const document = { requested: count, lastModified: renderDateInSeconds(clock.epochMs()) };
      provisions.put(scope, name, qualifier, document);
      allocations.clear();
      return { qualifier, ...document };
    },
    provisioned(scope, name, qualifier) {
      checkQualifier(scope, name, qualifier, NOT_PUBLISHED);
      const document = provisions.get(scope, name, qualifier);
      return document && { qualifier, ...document };
    },
    unprovision(scope, name, qualifier) {
      checkQualifier(scope, name, qualifier, NOT_PUBLISHED);
      provisions.remove(scope, name, qualifier);
      allocations.clear();
    },
    listProvisioned(scope, name, { marker, maxItems }) {
      directory.requireFunction(scope, name);
      const [after] = positionOrStart(marker, ['']);
      const found = provisions.list(scope, name, after, maxItems + 1);
      return pageOf(
        found.map(({ qualifier, document }) => ({ qualifier, ...document })),
        maxItems,
        ({ qualifier }) => [qualifier],
      );
    },
    everyProvision: () =>
      provisions
        .everywhere()
        .map(({ scope, name, qualifier, document }) => ({ scope, name, qualifier, count: document.requested })),
    invalidate() {
      reservations.invalidate();
      provisions.invalidate();
      allocations.clear();
    },
  };
}

/** The ARN of a provisioned qualifier in lists. */
export function renderProvisionedArn(scope: Scope, name: string, { qualifier }: ProvisionedConcurrency): string {
  return renderFunctionArn(scope, name, qualifier);
}

const NOT_PUBLISHED = 'The function resource provided must be an alias or a published version.';

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}

/** Recorded on AWS: these errors have no Type. */
function untyped(message: string): ServiceError {
  return new ServiceError('UntypedInvalidParameterValueException', message);
}
