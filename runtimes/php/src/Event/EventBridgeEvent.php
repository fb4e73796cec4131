<?php

/** An event or scheduled event of EventBridge. https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $version
 * @property-read string $id
 * @property-read string $source
 * @property-read string $account
 * @property-read string $time
 * @property-read string $region
 * @property-read list<string> $resources
 * @property-read mixed $detail
 */
final class EventBridgeEvent extends Event
{
    /** The member `detail-type`. */
    public function detailType(): string
    {
        return $this->raw['detail-type'];
    }

    protected static function fits(array $event): bool
    {
        return isset($event['detail-type'], $event['source']);
    }
}
