<?php

/** A record of a Kinesis data stream. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read array{kinesisSchemaVersion: string, partitionKey: string, sequenceNumber: string, data: string, approximateArrivalTimestamp: float, encryptionType?: string} $kinesis
 * @property-read string $eventSource
 * @property-read string $eventVersion
 * @property-read string $eventID
 * @property-read string $eventName
 * @property-read string $invokeIdentityArn
 * @property-read string $awsRegion
 * @property-read string $eventSourceARN
 */
final class KinesisRecord extends EventValue
{
    /** The decoded data. */
    public function data(): string
    {
        return (string) base64_decode((string) $this->get('kinesis.data'), true);
    }

    /** The data, decoded as JSON. Throws JsonException. */
    public function json(): mixed
    {
        return json_decode($this->data(), true, flags: JSON_THROW_ON_ERROR);
    }
}
