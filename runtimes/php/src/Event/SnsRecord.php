<?php

/** One delivery of an SNS message. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $EventVersion
 * @property-read string $EventSubscriptionArn
 * @property-read string $EventSource
 * @property-read SnsMessage $Sns
 */
final class SnsRecord extends EventValue
{
    protected const VALUES = ['Sns' => SnsMessage::class];
}
