<?php

/** A request to a custom authorizer of IoT. https://docs.aws.amazon.com/iot/latest/developerguide/config-custom-auth.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string|null $token
 * @property-read bool $signatureVerified
 * @property-read list<string> $protocols tls, http, mqtt
 * @property-read array<string, mixed> $protocolData
 * @property-read array{id: string} $connectionMetadata
 */
final class IotAuthorizerEvent extends Event
{
    /** The password of an MQTT connection; null if missing. */
    public function mqttPassword(): ?string
    {
        $password = $this->get('protocolData.mqtt.password');
        return $password === null ? null : (string) base64_decode($password, true);
    }

    protected static function fits(array $event): bool
    {
        return isset($event['protocolData'], $event['protocols']);
    }
}
