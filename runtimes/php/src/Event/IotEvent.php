<?php

/**
 * The message of a device, as selected by the SQL of an IoT rule.
 * https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html
 */

declare(strict_types=1);

namespace Lamella\Event;

final class IotEvent extends Event
{
    protected static function fits(array $event): bool
    {
        return true;
    }
}
