/** The passwords of GetRandomPassword and of a stack's GenerateSecretString. */
import { randomInt } from 'node:crypto';
import { JsonError } from '../../wire/json-protocol.ts';

export type PasswordRules = {
  /** Defaults to 32. */
  readonly PasswordLength?: number | undefined;
  readonly ExcludeCharacters?: string | undefined;
  readonly ExcludeNumbers?: boolean | undefined;
  readonly ExcludePunctuation?: boolean | undefined;
  readonly ExcludeUppercase?: boolean | undefined;
  readonly ExcludeLowercase?: boolean | undefined;
  readonly IncludeSpace?: boolean | undefined;
  /** Defaults to true. */
  readonly RequireEachIncludedType?: boolean | undefined;
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html */
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

/** @throws JsonError if no password fits the rules */
export function createRandomPassword(rules: PasswordRules): string {
  const {
    PasswordLength: length = 32,
    ExcludeCharacters: excluded = '',
    RequireEachIncludedType: isEach = true,
  } = rules;
  const left = (characters: string) => [...characters].filter((character) => !excluded.includes(character));
  const kinds = [
    rules.ExcludeLowercase ? [] : left('abcdefghijklmnopqrstuvwxyz'),
    rules.ExcludeUppercase ? [] : left('ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
    rules.ExcludeNumbers ? [] : left('0123456789'),
    rules.ExcludePunctuation ? [] : left(PUNCTUATION),
    rules.IncludeSpace ? left(' ') : [],
  ].filter((kind) => kind.length > 0);
  const all = kinds.flat();
  if (all.length === 0) throw new JsonError('InvalidParameterException', 'No characters are left for the password.');
  const required = isEach ? kinds.map(pick) : [];
  if (required.length > length) {
    throw new JsonError(
      'InvalidParameterException',
      'The password length is too short for the required types of characters.',
    );
  }
  const rest = Array.from({ length: length - required.length }, () => pick(all));
  return shuffle([...required, ...rest]).join('');
}

function pick(characters: readonly string[]): string {
  return characters[randomInt(characters.length)] as string;
}

function shuffle(characters: string[]): string[] {
  for (let at = characters.length - 1; at > 0; at -= 1) {
    const other = randomInt(at + 1);
    [characters[at], characters[other]] = [characters[other] as string, characters[at] as string];
  }
  return characters;
}
