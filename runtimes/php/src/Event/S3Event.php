<?php

/** Notifications of an S3 bucket. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<S3Record> $Records */
final class S3Event extends Event
{
    protected const VALUES = ['Records' => [S3Record::class]];

    protected static function fits(array $event): bool
    {
        return self::hasRecordsOf($event, 'aws:s3');
    }
}
