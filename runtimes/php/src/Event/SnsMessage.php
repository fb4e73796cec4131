<?php

/** An SNS message. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $Type
 * @property-read string $MessageId
 * @property-read string $TopicArn
 * @property-read string|null $Subject
 * @property-read string $Message
 * @property-read string $Timestamp
 * @property-read string $SignatureVersion
 * @property-read string $Signature
 * @property-read string|null $SigningCertUrl as Lambda delivers it
 * @property-read string|null $UnsubscribeUrl as Lambda delivers it
 * @property-read string|null $SigningCertURL as SNS itself writes it
 * @property-read string|null $UnsubscribeURL as SNS itself writes it
 * @property-read array<string, array{Type: string, Value: string}> $MessageAttributes
 */
final class SnsMessage extends EventValue
{
    /** The message, decoded as JSON. Throws JsonException. */
    public function json(): mixed
    {
        return json_decode($this->Message, true, flags: JSON_THROW_ON_ERROR);
    }

    /** The value of a message attribute (Base64 if it is binary); null if missing. */
    public function attribute(string $name): ?string
    {
        return $this->MessageAttributes[$name]['Value'] ?? null;
    }
}
