<?php

/** A connection, message or disconnection of a WebSocket API. https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read array<string, mixed> $requestContext
 * @property-read array<string, string>|null $headers
 * @property-read array<string, list<string>>|null $multiValueHeaders
 * @property-read array<string, string>|null $queryStringParameters
 * @property-read array<string, string>|null $stageVariables
 * @property-read string|null $body
 * @property-read bool $isBase64Encoded
 */
final class WebSocketEvent extends Event
{
    public function connectionId(): string
    {
        return $this->requestContext['connectionId'];
    }

    /** CONNECT, MESSAGE or DISCONNECT. */
    public function eventType(): string
    {
        return (string) $this->get('requestContext.eventType');
    }

    /** $connect, $disconnect, $default or a custom route. */
    public function routeKey(): string
    {
        return (string) $this->get('requestContext.routeKey');
    }

    /** The decoded message of the client; '' if there is none. */
    public function message(): string
    {
        $body = (string) $this->body;
        return $this->isBase64Encoded ? (string) base64_decode($body, true) : $body;
    }

    /** The URL to which messages for clients are posted, followed by `/@connections/{id}`. */
    public function managementEndpoint(): string
    {
        return "https://{$this->requestContext['domainName']}/{$this->requestContext['stage']}";
    }

    protected static function fits(array $event): bool
    {
        return isset($event['requestContext']['connectionId']);
    }
}
