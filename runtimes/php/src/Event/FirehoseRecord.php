<?php

/** A Firehose record. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $recordId
 * @property-read int $approximateArrivalTimestamp milliseconds since 1970
 * @property-read string $data Base64
 * @property-read array<string, mixed>|null $kinesisRecordMetadata
 */
final class FirehoseRecord extends EventValue
{
    public function bytes(): string
    {
        return (string) base64_decode((string) $this->data, true);
    }

    /** The record, decoded as JSON. Throws JsonException. */
    public function json(): mixed
    {
        return json_decode($this->bytes(), true, flags: JSON_THROW_ON_ERROR);
    }
}
