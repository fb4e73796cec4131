<?php

/** Messages of an SQS queue. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<SqsRecord> $Records */
final class SqsEvent extends Event
{
    protected const VALUES = ['Records' => [SqsRecord::class]];

    /**
     * Handles the messages one by one; those whose handler throws come again. In a FIFO queue the later messages of the
     * same group then wait with it, so that the order holds.
     *
     * @param callable(SqsRecord): mixed $handle
     */
    public function each(callable $handle): BatchResult
    {
        $result = new BatchResult();
        $stoppedGroups = [];
        foreach ($this->Records as $record) {
            $group = $record->attributes['MessageGroupId'] ?? null;
            $isFifo = str_ends_with((string) $record->eventSourceARN, '.fifo');
            if ($isFifo && isset($stoppedGroups[$group])) {
                $result->fail($record->messageId);
                continue;
            }
            try {
                $handle($record);
            } catch (\Throwable $thrown) {
                $result->fail($record->messageId, $thrown);
                $stoppedGroups[$group] = true;
            }
        }
        return $result;
    }

    protected static function fits(array $event): bool
    {
        return self::hasRecordsOf($event, 'aws:sqs');
    }
}
