<?php

/** A request to a Lambda authorizer of AppSync. https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $authorizationToken
 * @property-read array{apiId: string, accountId: string, requestId: string, queryString: string, operationName: string|null, variables: array<string, mixed>} $requestContext
 * @property-read array<string, string>|null $requestHeaders
 */
final class AppSyncAuthorizerEvent extends Event
{
    /**
     * @param array<string, string> $resolverContext
     * @param list<string> $deniedFields
     * @return array<string, mixed>
     */
    public function response(
        bool $isAuthorized,
        array $resolverContext = [],
        array $deniedFields = [],
        ?int $ttlSeconds = null,
    ): array {
        return [
            'isAuthorized' => $isAuthorized,
            'resolverContext' => (object) $resolverContext,
            'deniedFields' => $deniedFields,
        ] + ($ttlSeconds === null ? [] : ['ttlOverride' => $ttlSeconds]);
    }

    protected static function fits(array $event): bool
    {
        return isset($event['authorizationToken'], $event['requestContext']['apiId']) && !isset($event['methodArn']);
    }
}
