/** Node's HTTP types and status texts. The rest of the code imports them from here, never from `node:http`. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

export { STATUS_CODES as STATUS_TEXTS } from 'node:http';

export type HttpRequest = IncomingMessage;
export type HttpResponse = ServerResponse<IncomingMessage>;
export type HttpHeaders = OutgoingHttpHeaders;

/** Handles one request. A rejection is a bug: the listener reports it, and sends 500 if nothing was sent yet. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void | Promise<void>;
