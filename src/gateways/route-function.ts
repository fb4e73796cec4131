/** The function that a route or an authorizer names in the JSON form of a gateway. */
import * as v from 'valibot';
import { type FunctionReference, parseFunctionReference } from '../protocol/arn.ts';
import { parsed, show, text } from '../wire/configuration.ts';

/** A function, with its version or alias where the route names one. `text` is as the user wrote it. */
export type RouteFunction = FunctionReference & { readonly text: string };

export const FUNCTION = v.pipe(
  text,
  parsed((name: string): RouteFunction | string => {
    const reference = parseFunctionReference(name);
    if (reference === undefined) return `must be a function name, NAME:ALIAS or an ARN, not ${show(name)}`;
    return { ...reference, text: name };
  }),
);
