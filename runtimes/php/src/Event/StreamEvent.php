<?php

/** What streams have in common: records in order, and a batch that can only be taken up again from some record on. */

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
    /** The record's place in the stream. */
    abstract protected static function sequenceNumber(EventValue $record): string;

    /**
     * Handles the records one by one until a handler throws; Lambda then delivers again from that record on.
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
