<?php

/** Changes in a DynamoDB table. https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<DynamoDbRecord> $Records */
final class DynamoDbEvent extends StreamEvent
{
    protected const VALUES = ['Records' => [DynamoDbRecord::class]];

    protected static function sequenceNumber(EventValue $record): string
    {
        return (string) $record->get('dynamodb.SequenceNumber');
    }

    protected static function fits(array $event): bool
    {
        return self::hasRecordsOf($event, 'aws:dynamodb');
    }
}
