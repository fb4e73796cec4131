/**
 * Reserved and provisioned concurrency: who may have how much of the account's environments. Admission reads the
 * reservations from memory; provisioned environments are counted here and prepared by `invocation/`.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
 */
import type { Clock } from '../../clock.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import { renderDateInSeconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Database } from '../../storage/database.ts';
import { type Page, pageOf, parseMarker } from '../../storage/page.ts';
import type { Aliases } from '../aliases.ts';
import type { FunctionDirectory } from '../function-directory.ts';
import { isAliasName } from '../function-directory.ts';
import { createSettingDocuments, type Setting } from './setting-documents.ts';

export type ProvisionedConcurrency = {
  /** A version or an alias. */
  readonly qualifier: string;
  readonly requested: number;
  /** `2026-11-22T10:00:00+0000` */
  readonly lastModified: string;
};

export type ConcurrencyShares = {
  /** What is neither reserved by functions nor provisioned for versions of functions that reserved nothing. */
  readonly account: number;
  /** What the function reserved, without what is provisioned for its versions; undefined when it reserved nothing. */
  readonly reserved: number | undefined;
  /** What is provisioned for the version. */
  readonly provisioned: number;
};

export type ConcurrencySettings = {
  /** What all functions of an account and region may have at once. */
  readonly account: number;
  /** Environments set aside for a function, and its most; undefined when it shares the account's. */
  reserved(scope: Scope, name: string): number | undefined;
  reserve(scope: Scope, name: string, count: number): void;
  release(scope: Scope, name: string): void;
  /** What functions without a reservation share. */
  unreserved(scope: Scope): number;
  /** What an invocation of a version may run out of: what is provisioned for versions is set aside for them alone. */
  sharesOf(scope: Scope, name: string, version: string): ConcurrencyShares;
  /** The version that is prepared for a qualifier: of an alias with weights the main one. */
  preparedVersion(scope: Scope, name: string, qualifier: string): string;
  provision(scope: Scope, name: string, qualifier: string, count: number): ProvisionedConcurrency;
  provisioned(scope: Scope, name: string, qualifier: string): ProvisionedConcurrency | undefined;
  unprovision(scope: Scope, name: string, qualifier: string): void;
  listProvisioned(
    scope: Scope,
    name: string,
    page: { readonly marker: string | undefined; readonly maxItems: number },
  ): Page<ProvisionedConcurrency>;
  /** What is to be prepared ahead, everywhere. */
  everyProvision(): {
    readonly scope: Scope;
    readonly name: string;
    readonly qualifier: string;
    readonly count: number;
  }[];
  /** Forgets what was read: a function went, and its settings with it. */
  invalidate(): void;
};

type Provisioned = Omit<ProvisionedConcurrency, 'qualifier'>;

/** What the functions of a scope have set aside. */
type Allocations = {
  readonly reservedTotal: number;
  readonly provisioned: ReadonlyMap<string, readonly Setting<Provisioned>[]>;
  /** What is provisioned where nothing is reserved: it comes out of what all functions share. */
  readonly provisionedUnreserved: number;
};

/** All of them throw `ServiceError`s where AWS does. */
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
  /** Environments that all functions of an account and region may have at once. */
  accountConcurrency: number;
}): ConcurrencySettings {
  const reservations = createSettingDocuments<number>(database, 'reserved-concurrency');
  const provisions = createSettingDocuments<Provisioned>(database, 'provisioned-concurrency');

  /** By scope, because every invocation asks. */
  const allocations = new Map<string, Allocations>();
  const allocationsOf = (scope: Scope): Allocations => {
    const key = `${scope.region}/${scope.account}`;
    let found = allocations.get(key);
    if (found === undefined) {
      const reserved = new Map(reservations.listAll(scope).map(({ name, document }) => [name, document]));
      const provisioned = new Map<string, Setting<Provisioned>[]>();
      for (const setting of provisions.listAll(scope)) {
        provisioned.set(setting.name, [...(provisioned.get(setting.name) ?? []), setting]);
      }
      const unreserved = [...provisioned].flatMap(([name, settings]) => (reserved.has(name) ? [] : settings));
      found = {
        provisioned,
        reservedTotal: sum([...reserved.values()]),
        provisionedUnreserved: requestedBy(unreserved),
      };
      allocations.set(key, found);
    }
    return found;
  };
  const reservedTotal = (scope: Scope) => allocationsOf(scope).reservedTotal;
  const provisionsOf = (scope: Scope, name: string) => allocationsOf(scope).provisioned.get(name) ?? [];
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
    const others = allocationsOf(scope).provisionedUnreserved - before;
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
      // What is provisioned for this function itself comes out of its reserve from now on.
      const ofOthers = allocationsOf(scope).provisionedUnreserved - (own === undefined ? provisioned : 0);
      const left = accountConcurrency - reservedTotal(scope) + (own ?? 0) - ofOthers - count;
      // Recorded on AWS: nothing at all can always be reserved, to switch a function off.
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
      const { reservedTotal: reservedByAll, provisionedUnreserved } = allocationsOf(scope);
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
      const [after] = (marker === undefined ? undefined : parseMarker(marker, [''] as const)) ?? [''];
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

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function requestedBy(settings: readonly Setting<Provisioned>[]): number {
  return sum(settings.map(({ document }) => document.requested));
}

/** The ARN that a provisioned qualifier is listed under. */
export function renderProvisionedArn(scope: Scope, name: string, { qualifier }: ProvisionedConcurrency): string {
  return renderFunctionArn(scope, name, qualifier);
}

const NOT_PUBLISHED = 'The function resource provided must be an alias or a published version.';

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}

/** Recorded on AWS: these refusals come without a Type. */
function untyped(message: string): ServiceError {
  return new ServiceError('UntypedInvalidParameterValueException', message);
}
