<?php

/** A message of an SQS queue. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $messageId
 * @property-read string $receiptHandle
 * @property-read string $body
 * @property-read array<string, string> $attributes ApproximateReceiveCount, SentTimestamp, MessageGroupId ...
 * @property-read array<string, array<string, mixed>> $messageAttributes
 * @property-read string $md5OfBody
 * @property-read string|null $md5OfMessageAttributes
 * @property-read string $eventSource
 * @property-read string $eventSourceARN
 * @property-read string $awsRegion
 */
final class SqsRecord extends EventValue
{
    /** The body, decoded as JSON. Throws JsonException. */
    public function json(): mixed
    {
        return json_decode($this->body, true, flags: JSON_THROW_ON_ERROR);
    }

    /** The value of a message attribute, decoded if it is binary; null if missing. */
    public function attribute(string $name): ?string
    {
        $attribute = $this->messageAttributes[$name] ?? [];
        return $attribute['stringValue'] ?? (isset($attribute['binaryValue'])
            ? (string) base64_decode($attribute['binaryValue'], true)
            : null);
    }

    public function receiveCount(): int
    {
        return (int) ($this->attributes['ApproximateReceiveCount'] ?? 1);
    }
}
