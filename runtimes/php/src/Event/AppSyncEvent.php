<?php

/** A field to resolve for AppSync. https://docs.aws.amazon.com/appsync/latest/devguide/resolver-context-reference.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read array<string, mixed> $arguments
 * @property-read array<string, mixed>|null $identity
 * @property-read array<string, mixed>|null $source the parent object
 * @property-read array{headers: array<string, string>, domainName: string|null} $request
 * @property-read array{result: mixed}|null $prev
 * @property-read array{selectionSetList: list<string>, selectionSetGraphQL: string, parentTypeName: string, fieldName: string, variables: array<string, mixed>} $info
 * @property-read array<string, mixed> $stash
 */
final class AppSyncEvent extends Event
{
    public function fieldName(): string
    {
        return (string) ($this->get('info.fieldName') ?? $this->raw['fieldName'] ?? '');
    }

    public function parentTypeName(): string
    {
        return (string) ($this->get('info.parentTypeName') ?? $this->raw['typeName'] ?? '');
    }

    public function argument(string $name, mixed $default = null): mixed
    {
        return $this->arguments[$name] ?? $default;
    }

    protected static function fits(array $event): bool
    {
        // The second form comes from Amplify's resolvers.
        return isset($event['info']['fieldName']) || isset($event['fieldName'], $event['typeName'], $event['arguments']);
    }
}
