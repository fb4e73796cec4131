<?php

/**
 * A batch of fields to resolve for AppSync, sent by a resolver with batching enabled. The result is a list in the same order.
 * https://docs.aws.amazon.com/appsync/latest/devguide/tutorial-lambda-resolvers.html
 */

declare(strict_types=1);

namespace Lamella\Event;

final class AppSyncBatchEvent extends Event
{
    /** @return list<AppSyncEvent> */
    public function all(): array
    {
        return array_map(static fn (array $event) => new AppSyncEvent($event), $this->raw);
    }

    /**
     * Calls `$resolve` with each field. Returns the result for AppSync.
     *
     * @param callable(AppSyncEvent): mixed $resolve
     * @return list<mixed>
     */
    public function each(callable $resolve): array
    {
        return array_map($resolve, $this->all());
    }

    protected static function fits(array $event): bool
    {
        return isset($event[0]['info']['fieldName']) && array_is_list($event);
    }
}
