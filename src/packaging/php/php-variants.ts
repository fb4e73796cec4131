/**
 * The default contents of a PHP layer. Each extension costs startup time and memory in every environment. So `lean`
 * adds only the extensions that Composer packages usually expect to those in every build (openssl, zlib, json, session
 * and others). `http` is for web applications, and `full` has everything that Bref enables.
 */
import type { PhpBinaries } from './php-binaries.ts';

export const PHP_VARIANTS = ['lean', 'http', 'full'] as const;
export type PhpVariant = (typeof PHP_VARIANTS)[number];

const LEAN = ['ctype', 'curl', 'iconv', 'tokenizer'];
/** What frameworks and common web applications require. */
const WEB = ['dom', 'fileinfo', 'mbstring', 'mysqli', 'pdo_mysql', 'pdo_sqlite', 'posix', 'simplexml', 'xml'];
const WEB_TOO = ['xmlreader', 'xmlwriter', 'zip'];
/** What Bref's layers enable. */
const BREF = ['bcmath', 'exif', 'ffi', 'ftp', 'gettext', 'json', 'pdo_pgsql', 'phar', 'soap', 'sockets', 'sodium'];
const BREF_TOO = ['sqlite3', 'xsl'];

const VARIANTS: Readonly<Record<PhpVariant, { readonly extensions: readonly string[]; readonly webServer: boolean }>> =
  {
    lean: { extensions: LEAN, webServer: false },
    http: { extensions: [...LEAN, ...WEB, ...WEB_TOO], webServer: true },
    full: { extensions: [...LEAN, ...WEB, ...WEB_TOO, ...BREF, ...BREF_TOO], webServer: true },
  };

/**
 * Returns the extensions and programs for a request. Extensions of a variant that the build lacks are left out, because
 * the variants are the same for all PHP versions.
 */
export function variantOf(
  request: { readonly variant?: PhpVariant; readonly extensions?: readonly string[]; readonly webServer?: boolean },
  build: Pick<PhpBinaries, 'builtIn'>,
  modules: readonly string[],
): { extensions: readonly string[]; webServer: boolean } {
  const variant = VARIANTS[request.variant ?? 'lean'];
  const available = new Set([...build.builtIn, ...modules]);
  const requested = request.extensions?.filter((name) => !name.startsWith('+'));
  const added = request.extensions?.flatMap((name) => (name.startsWith('+') ? name.slice(1) : [])) ?? [];
  // `+redis` alone adds to the variant's extensions.
  const replaces = requested !== undefined && (requested.length > 0 || added.length === 0);
  return {
    extensions: [...(replaces ? requested : variant.extensions.filter((name) => available.has(name))), ...added],
    webServer: request.webServer ?? variant.webServer,
  };
}
