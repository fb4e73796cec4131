/** Why an authorizer refuses a request. Each kind of API renders denials in its own words. */
import type { CallerFault } from './verify-caller.ts';

export type Denial =
  /** There are no credentials, or not in the required form, or the authorizer says that they are invalid. */
  | { readonly kind: 'unauthorized'; readonly challenge?: string | undefined }
  /** The policy does not allow the request, or denies it explicitly. */
  | { readonly kind: 'denied'; readonly isExplicit: boolean }
  | { readonly kind: 'insufficient-scope'; readonly challenge: string }
  /** The signature is missing or invalid. */
  | { readonly kind: 'signature'; readonly fault: CallerFault }
  /** The authorizer itself failed. The log has the reason. */
  | { readonly kind: 'fault' };
