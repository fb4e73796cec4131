<?php

/**
 * Converts an event to a request and a response to a result, for everything that handles HTTP: a handler with a Request
 * parameter, a PSR-15 handler, the kernel of a framework, PHP under FastCGI. A request or response that cannot be passed on
 * becomes an HTTP error, so that the client gets a status and the log the reason.
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\Handler;
use Lamella\ResponseStream;
use Lamella\RuntimeApi;
use Lamella\Settings;

final class Exchange
{
    /** Maximum response size of a load balancer. For other clients Lambda's maximum applies. */
    private const LOAD_BALANCER_BYTES = 1_000_000;
    private const LAMBDA_BYTES = 6291556;
    private const JSON_OUT = Handler::JSON_OUT | JSON_INVALID_UTF8_SUBSTITUTE;
    /** Above this length json_encode(), which inspects each byte, is the largest cost of a response. */
    private const LONG_TEXT_BYTES = 2048;
    /** Control characters that JSON escapes as numbers. */
    private const RARE_CONTROL_CHARACTERS = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
        . "\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";

    public function __construct(private readonly Settings $settings)
    {
    }

    /**
     * The request in an event. For the event that keeps environments warm (`{"warmer": true}`, as in Bref) the response
     * itself. Throws BadRequest, UnexpectedEvent.
     */
    public function begin(string $payload): Request|string
    {
        $event = json_decode($payload, true, 512, JSON_THROW_ON_ERROR);
        if (is_array($event) && ($event['warmer'] ?? null) === true) {
            // Long enough that a concurrent call warms another environment.
            usleep(10_000);
            return '["Lambda is warm"]';
        }
        return Request::fromEvent($event, $this->settings->remoteAddress);
    }

    /** The response in the format of the request's source; null if it was streamed. */
    public function finish(Request $request, Response $response, RuntimeApi $api, string $requestId): ?string
    {
        if ($this->settings->streams && $request->format !== Request::LOAD_BALANCER) {
            $stream = new ResponseStream($api, $requestId);
            $stream->http(...$response->prelude());
            if (Response::mayHaveBody($response->status)) {
                $response->eachPiece($stream->write(...));
            }
            $stream->end();
            return null;
        }
        $json = $this->encode($request, $response);
        $limit = $request->format === Request::LOAD_BALANCER ? self::LOAD_BALANCER_BYTES : self::LAMBDA_BYTES;
        if (strlen($json) <= $limit) {
            return $json;
        }
        $reason = sprintf(
            'The response to %s %s is too large: %d bytes as encoded for Lambda, more than the maximum of %d.',
            $request->method,
            $request->path,
            strlen($json),
            $limit,
        );
        file_put_contents('php://stderr', "{$reason} Stream it (LAMELLA_STREAMING=1), or redirect the client to S3.\n");
        return $this->encode($request, Response::text(500, "{$reason}\n"));
    }

    private function encode(Request $request, Response $response): string
    {
        $event = $response->toEvent($request, $this->settings->binary);
        $body = $event['isBase64Encoded'] ? "\"{$event['body']}\"" : $this->quoted($event['body']);
        unset($event['body']);
        return substr(json_encode($event, self::JSON_OUT), 0, -1) . ",\"body\":{$body}}";
    }

    private function quoted(string $text): string
    {
        // With `never` the text may not be UTF-8. Invalid bytes are then replaced.
        $isPlain = strlen($text) >= self::LONG_TEXT_BYTES && $this->settings->binary === 'auto'
            && strcspn($text, self::RARE_CONTROL_CHARACTERS) === strlen($text);
        return $isPlain
            ? '"' . str_replace(['\\', '"', "\n", "\r", "\t"], ['\\\\', '\\"', '\\n', '\\r', '\\t'], $text) . '"'
            : json_encode($text, self::JSON_OUT);
    }
}
