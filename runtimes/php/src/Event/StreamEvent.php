<?php

/** Base class for events of streams. Their records are ordered, and a failed batch is retried from one record on. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read array{start: string, end: string}|null $window members of tumbling windows
 * @property-read array<string, mixed>|null $state
 * @property-read string|null $shardId
 * @property-read string|null $eventSourceARN
 * @property-read bool|null $isFinalInvokeForWindow
 * @property-read bool|null $isWindowTerminatedEarly
 */
abstract class StreamEvent extends Event
{
    /** The sequence number of a record. */
    abstract protected static function sequenceNumber(EventValue $record): string;

    /**
     * Calls `$handle` with each record until a call throws. Lambda then retries from that record on.
     *
     * @param callable(EventValue): mixed $handle
     */
    public function each(callable $handle): BatchResult
    {
        $result = new BatchResult();
        foreach ($this->Records as $record) {
            try {
                $handle($record);
            } catch (\Throwable $thrown) {
                $result->fail(static::sequenceNumber($record), $thrown);
                break;
            }
        }
        return $result;
    }
}
