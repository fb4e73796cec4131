<?php

/** Log events of one log stream. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $messageType DATA_MESSAGE or CONTROL_MESSAGE
 * @property-read string $owner
 * @property-read string $logGroup
 * @property-read string $logStream
 * @property-read list<string> $subscriptionFilters
 * @property-read list<array{id: string, timestamp: int, message: string, extractedFields?: array<string, string>}> $logEvents
 */
final class CloudWatchLogs extends EventValue
{
}
