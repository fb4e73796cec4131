/**
 * Reserved and provisioned concurrency: who may have how much of the account's environments. Admission reads the
 * reservations from memory; provisioned environments are counted here and prepared by `invocation/`.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
 */
import type { Clock } from '../clock.ts';
import { renderFunctionArn, type Scope } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Database } from '../storage/database.ts';
import { type Page, pageOf, parseMarker } from '../storage/page.ts';
import type { Aliases } from './aliases.ts';
import type { FunctionDirectory } from './function-directory.ts';
import { isAliasName } from './function-directory.ts';
import { createFunctionSettings } from './function-settings.ts';

export type ProvisionedConcurrency = {
  /** A version or an alias. */
  readonly qualifier: string;
  readonly requested: number;
  /** `2026-11-22T10:00:00+0000` */
  readonly lastModified: string;
};

export type ConcurrencySettings = {
  /** What all functions of an account and region may have at once. */
  readonly account: number;
  /** Environments set aside for a function, and its most; undefined when it shares the account's. */
  reserved(scope: Scope, name: string): number | undefined;
  reserve(scope: Scope, name: string, count: number): void;
  release(scope: Scope, name: string): void;
  /** What all functions but this one have set aside. */
  reservedByOthers(scope: Scope, name: string): number;
  /** What functions without a reservation share. */
  unreserved(scope: Scope): number;
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
  const reservations = createFunctionSettings<number>(database, 'reserved-concurrency');
  const provisions = createFunctionSettings<Provisioned>(database, 'provisioned-concurrency');

  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  /** Totals by scope: every invocation asks for one. */
  const totals = new Map<string, number>();
  const reservedTotal = (scope: Scope, but?: string) => {
    const key = `${scope.region}/${scope.account}`;
    let total = totals.get(key);
    if (total === undefined) {
      total = sum(reservations.listAll(scope).map(({ document }) => document));
      totals.set(key, total);
    }
    return but === undefined ? total : total - (reservations.get(scope, but, '') ?? 0);
  };
  const provisionsOf = (scope: Scope, name: string) =>
    provisions.listAll(scope).filter((setting) => setting.name === name);
  const checkQualifier = (scope: Scope, name: string, qualifier: string, latest: string) => {
    if (qualifier === '$LATEST') throw refusal(latest);
    directory.requireQualifier(scope, name, qualifier);
  };

  function checkOverlap(scope: Scope, name: string, qualifier: string): void {
    const others = provisionsOf(scope, name).filter((setting) => setting.qualifier !== qualifier);
    const versionOf = (named: string) => (isAliasName(named) ? aliases.find(scope, name, named)?.version : named);
    const clash = others.find((other) => versionOf(other.qualifier) === versionOf(qualifier));
    if (clash === undefined) return;
    throw new ServiceError(
      'ResourceConflictException',
      isAliasName(qualifier)
        ? "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        : 'Version is pointed by a Provisioned Concurrency alias',
    );
  }

  function checkAccount(scope: Scope, name: string, qualifier: string, count: number): void {
    const others = sum(
      provisionsOf(scope, name).flatMap((setting) =>
        setting.qualifier === qualifier ? [] : [setting.document.requested],
      ),
    );
    const reserved = reservations.get(scope, name, '');
    if (reserved !== undefined) {
      if (others + count > reserved) {
        throw refusal(
          'Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function',
        );
      }
      return;
    }
    const unreserved = accountConcurrency - reservedTotal(scope);
    if (count > unreserved) {
      throw untyped(
        `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${unreserved}].`,
      );
    }
    if (unreserved - others - count < QUOTAS.unreservedConcurrencyMin) {
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
      const provisioned = sum(provisionsOf(scope, name).map(({ document }) => document.requested));
      if (count < provisioned) {
        throw untyped(
          ` ReservedConcurrentExecutions  ${count} should not be lower than ` +
            `function's total provisioned concurrency [${provisioned}].`,
        );
      }
      const left = accountConcurrency - reservedTotal(scope, name) - count;
      if (left < QUOTAS.unreservedConcurrencyMin) {
        throw untyped(
          "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution " +
            `below its minimum value of [${QUOTAS.unreservedConcurrencyMin}].`,
        );
      }
      reservations.put(scope, name, '', count);
      totals.clear();
    },
    release(scope, name) {
      directory.requireFunction(scope, name);
      reservations.remove(scope, name, '');
      totals.clear();
    },
    reservedByOthers: (scope, name) => reservedTotal(scope, name),
    unreserved: (scope) => accountConcurrency - reservedTotal(scope),
    provision(scope, name, qualifier, count) {
      checkQualifier(
        scope,
        name,
        qualifier,
        'Provisioned Concurrency Configs cannot be applied to unpublished function versions.',
      );
      checkOverlap(scope, name, qualifier);
      checkAccount(scope, name, qualifier, count);
      const document = { requested: count, lastModified: renderSecond(clock.epochMs()) };
      provisions.put(scope, name, qualifier, document);
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
      totals.clear();
    },
  };
}

/** The ARN that a provisioned qualifier is listed under. */
export function renderProvisionedArn(scope: Scope, name: string, { qualifier }: ProvisionedConcurrency): string {
  return renderFunctionArn(scope, name, qualifier);
}

const NOT_PUBLISHED = 'The function resource provided must be an alias or a published version.';

function renderSecond(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, '+0000');
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}

/** Recorded on AWS: these refusals come without a Type. */
function untyped(message: string): ServiceError {
  return new ServiceError('UntypedInvalidParameterValueException', message);
}
