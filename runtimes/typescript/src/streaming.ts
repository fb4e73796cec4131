/** `awslambda`: what handlers use to stream their responses. */
import type { ResponseStream } from '../../../src/runtime-client/runtime-client.ts';
import { type AnyFunction, HIGH_WATER_MARK, STREAMING } from './handler-locator.ts';
import type { CurrentInvocation } from './invoke-store.ts';

const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const DELIMITER_BYTES = 8;

/** Puts status, headers and cookies before the body: as JSON, then eight zero bytes. */
// biome-ignore lint/complexity/noStaticOnlyClass: it is one on AWS
class HttpResponseStream {
  static from(stream: ResponseStream, prelude: unknown): ResponseStream {
    stream.setContentType(PRELUDE_TYPE);
    const json = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(json);
      write(new Uint8Array(DELIMITER_BYTES));
    };
    return stream;
  }
}

function streamifyResponse(handler: AnyFunction, options?: { readonly highWaterMark?: number }): AnyFunction {
  const marks: Record<symbol, unknown> = { [STREAMING]: 'response' };
  if (typeof options?.highWaterMark === 'number') marks[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  return Object.assign(handler, marks);
}

/** Makes the global, beside what a layer may have put there before. */
export function defineGlobal(current: CurrentInvocation): void {
  const scope = globalThis as { awslambda?: object };
  scope.awslambda = { ...scope.awslambda, streamifyResponse, HttpResponseStream, InvokeStore: current.store };
}
