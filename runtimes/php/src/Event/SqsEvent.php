<?php

/** Messages of an SQS queue. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<SqsRecord> $Records */
final class SqsEvent extends Event
{
    protected const VALUES = ['Records' => [SqsRecord::class]];

    /**
     * Calls `$handle` with each message. A message whose call throws is reported as failed, and SQS delivers it again. In a
     * FIFO queue the later messages of its group are reported as failed too, which keeps their order.
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
