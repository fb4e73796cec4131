<?php

/** Emails received by SES. https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read list<SesRecord> $Records */
final class SesEvent extends Event
{
    protected const VALUES = ['Records' => [SesRecord::class]];

    protected static function fits(array $event): bool
    {
        return self::hasRecordsOf($event, 'aws:ses');
    }
}
