/**
 * The responses of the Runtime, Extensions and Telemetry APIs, byte for byte as AWS's server writes them: one line of
 * JSON with HTML characters escaped and `errorMessage` before `errorType`.
 */
import type { AnyResponse } from '../http/plain-connection.ts';

/** Writes a response with a JSON body. */
export function writeJson(response: AnyResponse, status: number, body: unknown, headers: readonly string[] = []): void {
  const text = `${escapeAsGo(JSON.stringify(body))}\n`;
  response.writeHead(status, [
    ...headers,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(Buffer.byteLength(text)),
  ]);
  response.end(text);
}

export function writeError(response: AnyResponse, status: number, errorType: string, errorMessage: string): void {
  writeJson(response, status, { errorMessage, errorType });
}

const ACCEPTED = '{"status":"OK"}\n';
const ACCEPTED_HEAD = ['Content-Type', 'application/json', 'Content-Length', String(ACCEPTED.length)];

/** 202 `{"status":"OK"}` */
export function writeAccepted(response: AnyResponse): void {
  response.writeHead(202, ACCEPTED_HEAD);
  response.end(ACCEPTED);
}

/** 404, with the text of Go's router. */
export function writeNotFound(response: AnyResponse): void {
  const text = '404 page not found\n';
  response.writeHead(404, ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(text.length)]);
  response.end(text);
}

/** 405 without a body. */
export function writeWrongMethod(response: AnyResponse): void {
  response.writeHead(405, ['Content-Length', '0']);
  response.end();
}

/** Go's encoding/json escapes these characters so that the JSON is safe in HTML. */
function escapeAsGo(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
