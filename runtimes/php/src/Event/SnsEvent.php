<?php

/** Messages of an SNS topic. https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<SnsRecord> $Records */
final class SnsEvent extends Event
{
    protected const VALUES = ['Records' => [SnsRecord::class]];

    protected static function fits(array $event): bool
    {
        return self::hasRecordsOf($event, 'aws:sns');
    }
}
