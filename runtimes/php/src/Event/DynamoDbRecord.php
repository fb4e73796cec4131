<?php

/** A change of an item in DynamoDB. Converts the item to plain PHP values. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $eventID
 * @property-read string $eventName INSERT, MODIFY or REMOVE
 * @property-read string $eventVersion
 * @property-read string $eventSource
 * @property-read string $eventSourceARN
 * @property-read string $awsRegion
 * @property-read array<string, mixed> $dynamodb Keys, NewImage, OldImage, SequenceNumber, SizeBytes, StreamViewType ...
 * @property-read array{type: string, principalId: string}|null $userIdentity set for items that expired
 */
final class DynamoDbRecord extends EventValue
{
    /** @return array<string, mixed> */
    public function keys(): array
    {
        return self::plain($this->dynamodb['Keys'] ?? []);
    }

    /** The item after the change, if the stream contains it. @return array<string, mixed>|null */
    public function newImage(): ?array
    {
        return isset($this->dynamodb['NewImage']) ? self::plain($this->dynamodb['NewImage']) : null;
    }

    /** The item before the change, if the stream contains it. @return array<string, mixed>|null */
    public function oldImage(): ?array
    {
        return isset($this->dynamodb['OldImage']) ? self::plain($this->dynamodb['OldImage']) : null;
    }

    /**
     * Converts DynamoDB's typed values. A number that neither int nor float can represent exactly remains a string.
     *
     * @param array<string, array<string, mixed>> $attributes
     * @return array<string, mixed>
     */
    public static function plain(array $attributes): array
    {
        return array_map(self::value(...), $attributes);
    }

    /** @param array<string, mixed> $typed */
    private static function value(array $typed): mixed
    {
        $value = reset($typed);
        return match ((string) key($typed)) {
            'N' => self::number($value),
            'NS' => array_map(self::number(...), $value),
            'B' => base64_decode($value, true),
            'BS' => array_map(static fn (string $one) => base64_decode($one, true), $value),
            'M' => self::plain($value),
            'L' => array_map(self::value(...), $value),
            'NULL' => null,
            default => $value,
        };
    }

    private static function number(string $text): int|float|string
    {
        $number = $text + 0;
        if (is_int($number)) {
            return $number;
        }
        $digits = strlen(ltrim(preg_replace('/[^0-9]|e.*/i', '', $text), '0'));
        return $digits <= 15 && is_finite($number) ? $number : $text;
    }
}
