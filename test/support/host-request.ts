/** Requests to the HTTP port for a host that Node cannot resolve: names below `localhost`, and AWS's own. */
import { type ClientResponse, send } from '../../src/http/client.ts';

export type HostResponse = {
  readonly status: number;
  readonly headers: ClientResponse['headers'];
  readonly text: string;
};

/** `url` is that of the HTTP port; only its port counts. */
export async function requestHost(
  url: string,
  host: string,
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<HostResponse> {
  const response = await send({
    method,
    url: new URL(`http://127.0.0.1:${new URL(url).port}${path}`),
    headers: { host, ...headers },
    body: Buffer.from(body),
  });
  return { status: response.status, headers: response.headers, text: response.body.toString() };
}
