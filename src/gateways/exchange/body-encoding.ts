/**
 * Encodes request bodies for events: as text, or as Base64 for anything else. Function URLs and HTTP APIs use a fixed
 * list of text types, load balancers a shorter one, and REST APIs the binary media types of the API. Pure.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
 */

export type EncodedBody = { readonly body: string; readonly isBase64Encoded: boolean };

const TEXT_TYPE = /^(text\/.*|application\/(json|xml|javascript)|[^/]+\/[^/]+\+(json|xml))$/;
const TEXT_TYPE_OF_LOAD_BALANCERS = /^(text\/.*|application\/(json|xml|javascript))$/;

/** For payload format 2.0 and HTTP APIs. A body without a content type is Base64. */
export function encodeBody(body: Buffer, contentType: string | undefined): EncodedBody {
  return TEXT_TYPE.test(mediaTypeOf(contentType)) ? asText(body) : asBase64(body);
}

/** For load balancers. A body with a content encoding is Base64, whatever its type. */
export function encodeLoadBalancerBody(
  body: Buffer,
  contentType: string | undefined,
  contentEncoding: string | undefined,
): EncodedBody {
  if (body.length === 0) return { body: '', isBase64Encoded: false };
  const isText = contentEncoding === undefined && TEXT_TYPE_OF_LOAD_BALANCERS.test(mediaTypeOf(contentType));
  return isText ? asText(body) : asBase64(body);
}

/** For REST APIs: text, unless it has a binary media type of the API. Other binary bodies are corrupted, as on AWS. */
export function encodeByMediaTypes(
  body: Buffer,
  contentType: string | undefined,
  binaryMediaTypes: readonly string[],
): EncodedBody {
  if (isBinaryMediaType(mediaTypeOf(contentType) || 'application/json', binaryMediaTypes)) return asBase64(body);
  return { body: body.toString('utf8'), isBase64Encoded: false };
}

/** Whether a media type matches an entry of the list, such as `image/png`, `image/*` or `*\/*`. */
export function isBinaryMediaType(mediaType: string, binaryMediaTypes: readonly string[]): boolean {
  const [type, subtype] = mediaType.split('/');
  return binaryMediaTypes.some((entry) => {
    const [wantedType, wantedSubtype] = entry.toLowerCase().split('/');
    return (wantedType === '*' || wantedType === type) && (wantedSubtype === '*' || wantedSubtype === subtype);
  });
}

/** The media type without parameters: `text/html` for `text/html; charset=utf-8`. */
export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** A text type with invalid UTF-8 becomes Base64, because the bytes would be lost as text. */
function asText(body: Buffer): EncodedBody {
  const text = body.toString('utf8');
  return text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(body)
    ? asBase64(body)
    : { body: text, isBase64Encoded: false };
}

function asBase64(body: Buffer): EncodedBody {
  return { body: body.toString('base64'), isBase64Encoded: true };
}
