/** What API Gateway passes on to the HTTP gateways: the JSON form of a gateway for each stage and each custom domain. */
import { randomInt } from 'node:crypto';
import type { Scope } from '../../protocol/names.ts';
import { ConfigurationError } from '../../wire/configuration.ts';
import { RestJsonError } from '../../wire/rest-json-protocol.ts';

/** A gateway in its JSON form, and where it is. */
export type PublishedGateway = {
  readonly name: string;
  readonly address: { readonly id: string; readonly region: string; readonly isOwnAddress: boolean };
  readonly input: unknown;
};

/** The HTTP gateways, as this service needs them. */
export type Publisher = {
  /** Replaces the gateways of `owner`. @throws ConfigurationError */
  publish(owner: string, gateways: readonly PublishedGateway[]): void;
  /** The port of the HTTP gateways. */
  port(): number;
};

/** `http://API.execute-api.REGION.localhost:3000`, the counterpart of `https://API.execute-api.REGION.amazonaws.com`. */
export function endpointOf(publisher: Publisher, { region }: Scope, apiId: string): string {
  return `http://${apiId}.execute-api.${region}.localhost:${publisher.port()}`;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** An ID as API Gateway makes them: lower-case letters and digits, a letter first. */
export function createId(length: number): string {
  const rest = Array.from({ length: length - 1 }, () => ALPHABET[randomInt(ALPHABET.length)]);
  return [ALPHABET[randomInt(26)], ...rest].join('');
}

/** Runs `action`, which publishes gateways; an invalid one is the client's mistake. */
export function refuseInvalid<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (failure) {
    if (!(failure instanceof ConfigurationError)) throw failure;
    throw badRequest(failure.message);
  }
}

export function badRequest(message: string): RestJsonError {
  return new RestJsonError('BadRequestException', 400, message);
}

export function notFound(message: string): RestJsonError {
  return new RestJsonError('NotFoundException', 404, message);
}

export function conflict(message: string): RestJsonError {
  return new RestJsonError('ConflictException', 409, message);
}

/** What AWS does and Lamella does not. The message names it. */
export function unsupported(what: string): RestJsonError {
  return badRequest(`Lamella does not support ${what}.`);
}

/** Replaces `${stageVariables.name}`; unknown variables become empty, as on AWS. */
export function withStageVariables(text: string, variables: Readonly<Record<string, string>> | undefined): string {
  return text.replace(/\$\{stageVariables\.(\w+)\}/g, (_, name: string) => variables?.[name] ?? '');
}
