<?php

/** One step in the rotation of a secret. https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $Step createSecret, setSecret, testSecret or finishSecret
 * @property-read string $SecretId
 * @property-read string $ClientRequestToken
 * @property-read string|null $RotationToken
 */
final class SecretRotationEvent extends Event
{
    protected static function fits(array $event): bool
    {
        return isset($event['Step'], $event['SecretId'], $event['ClientRequestToken']);
    }
}
