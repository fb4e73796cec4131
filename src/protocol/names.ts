/** Names of Lambda's resources as branded types, so that a checked name and a plain string cannot be mixed up. */

export type Brand<Base, Name extends string> = Base & { readonly __brand: Name };

export type RequestId = Brand<string, 'RequestId'>;
export type FunctionName = Brand<string, 'FunctionName'>;
export type LayerName = Brand<string, 'LayerName'>;
/** `$LATEST`, a published version's decimal number, or an alias. */
export type Qualifier = Brand<string, 'Qualifier'>;
/** A version as stored: `$LATEST` or a decimal number from 1. */
export type Version = '$LATEST' | `${number}`;

/** Where a resource lives. Functions of different scopes do not see each other. */
export type Scope = { readonly region: string; readonly account: string };
