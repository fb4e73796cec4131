/** Zip archives for tests, made from names, contents and modes. */
import { ZipFile } from 'yazl';

export type ZipFiles = Readonly<
  Record<string, string | Buffer | { readonly content: string | Buffer; readonly mode: number }>
>;

/** A zip of `files`. The mode defaults to 0755 for `bootstrap` and for scripts below extensions/, otherwise to 0644. */
export function zipOf(files: ZipFiles): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, file] of Object.entries(files)) {
    const content = typeof file === 'string' || Buffer.isBuffer(file) ? file : file.content;
    const isProgram = name === 'bootstrap' || name.startsWith('extensions/') || name.startsWith('bin/');
    const mode = typeof file === 'string' || Buffer.isBuffer(file) ? (isProgram ? 0o755 : 0o644) : file.mode;
    zip.addBuffer(Buffer.from(content), name, { mode: 0o100000 | mode, mtime: new Date(2026, 0, 1) });
  }
  zip.end();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    zip.outputStream.on('data', (chunk: Buffer) => chunks.push(chunk));
    zip.outputStream.once('end', () => resolve(Buffer.concat(chunks)));
    zip.outputStream.once('error', reject);
  });
}

/**
 * A runtime in the shell, with curl. `handle` is the body of its loop: it finds the event in $EVENT and the request ID in $ID,
 * and responds with `respond TEXT` or `fail TEXT`.
 */
export function shellRuntime(handle: string, init = ''): string {
  return `#!/bin/sh
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
respond() { curl -sS -o /dev/null -X POST --data-binary "$1" "$API/invocation/$ID/response"; }
fail() { curl -sS -o /dev/null -X POST -H 'Lambda-Runtime-Function-Error-Type: Function.Failed' --data-binary "$1" "$API/invocation/$ID/error"; }
init_error() { curl -sS -o /dev/null -X POST -H 'Lambda-Runtime-Function-Error-Type: Runtime.BadInit' --data-binary "$1" "$API/init/error"; }
${init}
while :; do
  HEADERS=$(mktemp)
  EVENT=$(curl -sS -D "$HEADERS" "$API/invocation/next") || exit 1
  ID=$(sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p' "$HEADERS" | tr -d '\\r\\n')
${handle}
done
`;
}
