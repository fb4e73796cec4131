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

    /**
     * The URL to which messages for clients are posted, followed by `/@connections/{id}`. On the API's own domain the path is
     * the stage, on a custom domain it is the path of the API mapping, which the event does not contain.
     * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
     *
     * @param string $mappingPath path of the API mapping of a custom domain; usually empty
     */
    public function managementEndpoint(string $mappingPath = ''): string
    {
        $domain = (string) $this->get('requestContext.domainName');
        $path = str_contains($domain, '.execute-api.') ? (string) $this->get('requestContext.stage') : $mappingPath;
        return rtrim("https://{$domain}/" . trim($path, '/'), '/');
    }

    protected static function fits(array $event): bool
    {
        return isset($event['requestContext']['connectionId']);
    }
}
