<?php

/** A record of a Kafka topic. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $topic
 * @property-read int $partition
 * @property-read int $offset
 * @property-read int $timestamp milliseconds since 1970
 * @property-read string $timestampType
 * @property-read string|null $key Base64
 * @property-read string|null $value Base64
 * @property-read list<array<string, list<int>>> $headers bytes as numbers
 */
final class KafkaRecord extends EventValue
{
    public function keyBytes(): ?string
    {
        return $this->key === null ? null : (string) base64_decode($this->key, true);
    }

    /** Null for a tombstone, which marks a deletion. */
    public function valueBytes(): ?string
    {
        return $this->value === null ? null : (string) base64_decode($this->value, true);
    }

    /** The value, decoded as JSON. Throws JsonException. */
    public function json(): mixed
    {
        return json_decode((string) $this->valueBytes(), true, flags: JSON_THROW_ON_ERROR);
    }

    /** Header values as bytes. The last of several with the same name wins. @return array<string, string> */
    public function headerValues(): array
    {
        $values = [];
        foreach ($this->headers ?? [] as $header) {
            foreach ($header as $name => $bytes) {
                // Lambda writes signed bytes, from -128 to 127.
                $values[$name] = implode('', array_map(static fn (int $byte) => chr($byte & 0xff), $bytes));
            }
        }
        return $values;
    }
}
