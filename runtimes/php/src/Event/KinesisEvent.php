<?php

/** Records of a Kinesis data stream. https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<KinesisRecord> $Records */
final class KinesisEvent extends StreamEvent
{
    protected const VALUES = ['Records' => [KinesisRecord::class]];

    protected static function sequenceNumber(EventValue $record): string
    {
        return (string) $record->get('kinesis.sequenceNumber');
    }

    protected static function fits(array $event): bool
    {
        return self::hasRecordsOf($event, 'aws:kinesis');
    }
}
