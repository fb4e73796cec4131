/** What an authorizer says about a request that it lets through, for the event of the route's function. */

/** The caller that signed a request with Signature Version 4. */
export type SignedCaller = {
  readonly accessKey: string;
  readonly accountId: string;
  readonly callerId: string;
  readonly userArn: string;
  readonly userId: string;
};

/** The result of a Lambda authorizer. */
export type LambdaResult = {
  readonly kind: 'lambda';
  /** Undefined for a simple response, and for a policy without one. */
  readonly principalId: string | undefined;
  /** The API key of the caller, if the authorizer named one. */
  readonly usageIdentifierKey: string | undefined;
  /** As the function returned it. Undefined without one. */
  readonly context: Readonly<Record<string, unknown>> | undefined;
  /** Milliseconds that the function took. 0 for a cached result. */
  readonly latencyMs: number;
};

export type Authorized =
  | LambdaResult
  /** `scopes` is null if the route requires none. */
  | {
      readonly kind: 'jwt';
      readonly claims: Readonly<Record<string, string>>;
      readonly scopes: readonly string[] | null;
    }
  | { readonly kind: 'iam'; readonly caller: SignedCaller };
