<?php

/** What happens on a connection of a WebSocket API. https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html */

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

    /** $connect, $disconnect, $default or a route of one's own. */
    public function routeKey(): string
    {
        return (string) $this->get('requestContext.routeKey');
    }

    /** What the client sent; '' for none. */
    public function message(): string
    {
        $body = (string) $this->body;
        return $this->isBase64Encoded ? (string) base64_decode($body, true) : $body;
    }

    /** Where answers are posted to, with `/@connections/{id}` after it. */
    public function managementEndpoint(): string
    {
        return "https://{$this->requestContext['domainName']}/{$this->requestContext['stage']}";
    }

    protected static function fits(array $event): bool
    {
        return isset($event['requestContext']['connectionId']);
    }
}
