<?php

/**
 * One request and its answer, between Lambda's events and whatever answers requests: a handler that asks for a Request, a
 * PSR-15 handler, a framework's kernel, PHP under FastCGI. What cannot be passed on is answered in HTTP's own terms, so
 * that the client sees a status and the log sees why.
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\Handler;
use Lamella\ResponseStream;
use Lamella\RuntimeApi;
use Lamella\Settings;

final class Exchange
{
    /** What a load balancer takes; all others take what Lambda takes. */
    private const LOAD_BALANCER_BYTES = 1_000_000;
    private const LAMBDA_BYTES = 6291556;
    private const JSON_OUT = Handler::JSON_OUT | JSON_INVALID_UTF8_SUBSTITUTE;
    /** From here on json_encode(), which looks at each byte, is most of what a response costs. */
    private const LONG_TEXT_BYTES = 2048;
    /** Control characters that JSON spells with a number. */
    private const RARE_CONTROL_CHARACTERS = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
        . "\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";

    public function __construct(private readonly Settings $settings)
    {
    }

    /**
     * The request in an event; or at once the response, for the event by which environments are kept warm
     * (`{"warmer": true}`, as Bref has it). Throws BadRequest, UnexpectedEvent.
     */
    public function begin(string $payload): Request|string
    {
        $event = json_decode($payload, true, 512, JSON_THROW_ON_ERROR);
        if (is_array($event) && ($event['warmer'] ?? null) === true) {
            // Long enough that another call meanwhile warms another environment.
            usleep(10_000);
            return '["Lambda is warm"]';
        }
        return Request::fromEvent($event);
    }

    /** The response in the form for whoever asked; null if it has been streamed. */
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
            'The response to %s %s has %d bytes as Lambda passes it on, more than the %d that it takes.',
            $request->method,
            $request->path,
            strlen($json),
            $limit
        );
        file_put_contents('php://stderr', "{$reason} Stream it (LAMELLA_STREAMING=1), or send the client to S3.\n");
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
        // With `never`, text may be no UTF-8, and goes damaged rather than not.
        $isPlain = strlen($text) >= self::LONG_TEXT_BYTES && $this->settings->binary === 'auto'
            && strcspn($text, self::RARE_CONTROL_CHARACTERS) === strlen($text);
        return $isPlain
            ? '"' . str_replace(['\\', '"', "\n", "\r", "\t"], ['\\\\', '\\"', '\\n', '\\r', '\\t'], $text) . '"'
            : json_encode($text, self::JSON_OUT);
    }
}
