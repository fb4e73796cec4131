/** The global `awslambda`, with which handlers stream their responses. */
import type { ResponseStream } from '../../../src/runtime-client/runtime-client.ts';
import { type AnyFunction, HIGH_WATER_MARK, STREAMING } from './handler-locator.ts';
import type { CurrentInvocation } from './invoke-store.ts';

const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const DELIMITER_BYTES = 8;

/** Sends status, headers and cookies before the body, as JSON followed by eight zero bytes. */
// biome-ignore lint/complexity/noStaticOnlyClass: AWS has it as a class with a static method
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

/** Defines the global. Keeps members that a layer has added to it before. */
export function defineGlobal(current: CurrentInvocation): void {
  const scope = globalThis as { awslambda?: object };
  scope.awslambda = { ...scope.awslambda, streamifyResponse, HttpResponseStream, InvokeStore: current.store };
}
