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
            return '"Lambda is warm"';
        }
        return Request::fromEvent($event);
    }

    /** The response in the form for whoever asked; null if it has been streamed. */
    public function finish(Request $request, Response $response, RuntimeApi $api, string $requestId): ?string
    {
        if ($this->settings->streams && $request->format !== Request::LOAD_BALANCER) {
            $stream = new ResponseStream($api, $requestId);
            $stream->http(...$response->prelude());
            if ($response->mayHaveBody()) {
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
        $why = sprintf('The response to %s %s has %d bytes as Lambda passes it on, more than the %d that it takes.', 
            $request->method, $request->path, strlen($json), $limit);
        file_put_contents('php://stderr', "{$why} Stream it (LAMELLA_STREAMING=1), or send the client to S3.\n");
        return $this->encode($request, Response::text(500, "{$why}\n"));
    }

    private function encode(Request $request, Response $response): string
    {
        // Text of a handler that is not UTF-8 goes as Base64 by itself; with `never` it goes damaged rather than not.
        return json_encode($response->toEvent($request, $this->settings->binary), Handler::JSON_OUT
            | JSON_INVALID_UTF8_SUBSTITUTE);
    }
}
