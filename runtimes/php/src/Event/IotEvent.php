<?php

/**
 * What an IoT rule hands over: whatever the device sent, as the rule's SQL selects it.
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
