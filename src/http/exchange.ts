/** The one place from which the rest of the code takes Node's HTTP types, and the words for statuses. */
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http';

export { STATUS_CODES as STATUS_TEXTS } from 'node:http';

export type HttpRequest = IncomingMessage;
export type HttpResponse = ServerResponse<IncomingMessage>;
export type HttpHeaders = OutgoingHttpHeaders;
export type HttpServer = Server;

/** Answers one request. A rejection is a bug: the listener logs it and answers 500 if nothing was sent yet. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void | Promise<void>;
