/**
 * What a PHP layer holds when nobody lists it. Each extension costs start-up time and memory in every environment, so
 * `lean` has only what Composer's packages take for granted beside what every build has inside (openssl, zlib, json,
 * session and others); the others are for those who would rather not think about it.
 */
import type { PhpBinaries } from './php-binaries.ts';

export const PHP_VARIANTS = ['lean', 'http', 'full'] as const;
export type PhpVariant = (typeof PHP_VARIANTS)[number];

const LEAN = ['ctype', 'curl', 'iconv', 'tokenizer'];
/** What frameworks and common web applications ask for. */
const WEB = ['dom', 'fileinfo', 'mbstring', 'mysqli', 'pdo_mysql', 'pdo_sqlite', 'posix', 'simplexml', 'xml'];
const WEB_TOO = ['xmlreader', 'xmlwriter', 'zip'];
/** What Bref's layers have switched on. */
const BREF = ['bcmath', 'exif', 'ffi', 'ftp', 'gettext', 'json', 'pdo_pgsql', 'phar', 'soap', 'sockets', 'sodium'];
const BREF_TOO = ['sqlite3', 'xsl'];

const VARIANTS: Readonly<Record<PhpVariant, { readonly extensions: readonly string[]; readonly webServer: boolean }>> =
  {
    lean: { extensions: LEAN, webServer: false },
    http: { extensions: [...LEAN, ...WEB, ...WEB_TOO], webServer: true },
    full: { extensions: [...LEAN, ...WEB, ...WEB_TOO, ...BREF, ...BREF_TOO], webServer: true },
  };

/**
 * The extensions and programs for a request. Of a variant's own list, what the build lacks is left out without a word: it
 * is a list for all versions.
 */
export function variantOf(
  request: { readonly variant?: PhpVariant; readonly extensions?: readonly string[]; readonly webServer?: boolean },
  build: Pick<PhpBinaries, 'builtIn'>,
  modules: readonly string[],
): { extensions: readonly string[]; webServer: boolean } {
  const variant = VARIANTS[request.variant ?? 'lean'];
  const available = new Set([...build.builtIn, ...modules]);
  return {
    extensions: request.extensions ?? variant.extensions.filter((name) => available.has(name)),
    webServer: request.webServer ?? variant.webServer,
  };
}
