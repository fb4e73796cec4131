/**
 * How a request's body gets into an event: as text, or as Base64 for what is not text. Function URLs and HTTP APIs go
 * by a fixed list of content types, load balancers by a shorter one, REST APIs by the API's binary media types. Pure.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
 */

export type EncodedBody = { readonly body: string; readonly isBase64Encoded: boolean };

const TEXT_TYPE = /^(text\/.*|application\/(json|xml|javascript)|[^/]+\/[^/]+\+(json|xml))$/;
const TEXT_TYPE_OF_LOAD_BALANCERS = /^(text\/.*|application\/(json|xml|javascript))$/;

/** For payload 2.0 and HTTP APIs. Without a content type it is not known to be text. */
export function encodeBody(body: Buffer, contentType: string | undefined): EncodedBody {
  return TEXT_TYPE.test(mediaTypeOf(contentType)) ? asText(body) : asBase64(body);
}

/** For load balancers: a compressed body is not text, whatever its type. */
export function encodeLoadBalancerBody(
  body: Buffer,
  contentType: string | undefined,
  contentEncoding: string | undefined,
): EncodedBody {
  if (body.length === 0) return { body: '', isBase64Encoded: false };
  const isText = contentEncoding === undefined && TEXT_TYPE_OF_LOAD_BALANCERS.test(mediaTypeOf(contentType));
  return isText ? asText(body) : asBase64(body);
}

/** For REST APIs: text unless the API says otherwise, which is how they spoil binary bodies on AWS as well. */
export function encodeByMediaTypes(
  body: Buffer,
  contentType: string | undefined,
  binaryMediaTypes: readonly string[],
): EncodedBody {
  if (isBinaryMediaType(mediaTypeOf(contentType) || 'application/json', binaryMediaTypes)) return asBase64(body);
  return { body: body.toString('utf8'), isBase64Encoded: false };
}

/** Whether a media type is in a list with entries such as `image/png`, `image/*` and `*\/*`. */
export function isBinaryMediaType(mediaType: string, binaryMediaTypes: readonly string[]): boolean {
  const [type, subtype] = mediaType.split('/');
  return binaryMediaTypes.some((entry) => {
    const [wantedType, wantedSubtype] = entry.toLowerCase().split('/');
    return (wantedType === '*' || wantedType === type) && (wantedSubtype === '*' || wantedSubtype === subtype);
  });
}

/** `text/html; charset=utf-8` is `text/html`. */
export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Bytes that are no UTF-8 would be lost as text. */
function asText(body: Buffer): EncodedBody {
  const text = body.toString('utf8');
  return text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(body)
    ? asBase64(body)
    : { body: text, isBase64Encoded: false };
}

function asBase64(body: Buffer): EncodedBody {
  return { body: body.toString('base64'), isBase64Encoded: true };
}
