<?php

/** A message of Amazon MQ. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $data Base64
 * @property-read bool $redelivered
 * @property-read string|null $messageID ActiveMQ
 * @property-read string|null $messageType ActiveMQ
 * @property-read array<string, mixed>|null $destination ActiveMQ
 * @property-read array<string, mixed>|null $properties ActiveMQ
 * @property-read array<string, mixed>|null $basicProperties RabbitMQ
 */
final class MqMessage extends EventValue
{
    public function bytes(): string
    {
        return (string) base64_decode((string) $this->data, true);
    }

    /** The message, decoded as JSON. Throws JsonException. */
    public function json(): mixed
    {
        return json_decode($this->bytes(), true, flags: JSON_THROW_ON_ERROR);
    }
}
