<?php

/**
 * A request to a Lambda authorizer of a REST or WebSocket API (TOKEN or REQUEST) or of an HTTP API (1.0 or 2.0).
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
 */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $type TOKEN or REQUEST
 * @property-read string|null $version 1.0 or 2.0 for HTTP APIs
 * @property-read string|null $methodArn
 * @property-read string|null $routeArn
 * @property-read string|null $authorizationToken
 * @property-read string|list<string>|null $identitySource
 * @property-read array<string, string>|null $headers
 * @property-read array<string, string>|null $queryStringParameters
 * @property-read array<string, string>|null $pathParameters
 * @property-read array<string, string>|null $stageVariables
 * @property-read array<string, mixed>|null $requestContext
 */
final class AuthorizerEvent extends Event
{
    /** The ARN of the requested method or route. */
    public function arn(): string
    {
        return $this->methodArn ?? $this->routeArn;
    }

    /** The token, or the first identity source. */
    public function token(): ?string
    {
        $source = $this->authorizationToken ?? $this->identitySource;
        return is_array($source) ? $source[0] ?? null : $source;
    }

    /** A header. Names are case-insensitive. */
    public function header(string $name): ?string
    {
        return array_change_key_case($this->headers ?? [])[strtolower($name)] ?? null;
    }

    /**
     * A response with a policy that allows the request. API Gateway may cache it for other requests of this caller.
     *
     * @param array<string, string|int|float|bool> $context passed to the integration
     * @param ?string $resource ARN to allow, may contain `*`; defaults to the requested one
     * @return array<string, mixed>
     */
    public function allow(string $principalId, array $context = [], ?string $resource = null): array
    {
        return $this->policy('Allow', $principalId, $context, $resource);
    }

    /**
     * @param array<string, string|int|float|bool> $context
     * @return array<string, mixed>
     */
    public function deny(string $principalId = 'unknown', array $context = [], ?string $resource = null): array
    {
        return $this->policy('Deny', $principalId, $context, $resource);
    }

    /**
     * A response for an HTTP API with simple responses enabled.
     *
     * @param array<string, mixed> $context
     * @return array{isAuthorized: bool, context: object}
     */
    public function simple(bool $isAuthorized, array $context = []): array
    {
        return ['isAuthorized' => $isAuthorized, 'context' => (object) $context];
    }

    /** @return array<string, mixed> */
    private function policy(string $effect, string $principalId, array $context, ?string $resource): array
    {
        $statement = ['Action' => 'execute-api:Invoke', 'Effect' => $effect, 'Resource' => $resource ?? $this->arn()];
        return [
            'principalId' => $principalId,
            'policyDocument' => ['Version' => '2012-10-17', 'Statement' => [$statement]],
            'context' => (object) $context,
        ];
    }

    protected static function fits(array $event): bool
    {
        return isset($event['methodArn']) || isset($event['routeArn']);
    }
}
