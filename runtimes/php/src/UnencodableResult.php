<?php

/** A result that JSON cannot represent. The message has the path of the first such value and what to do about it. */

declare(strict_types=1);

namespace Lamella;

final class UnencodableResult extends \RuntimeException
{
    public static function in(mixed $result, \JsonException $failure): self
    {
        $found = self::find($result, '$', 0);
        [$path, $reason] = $found ?? ['$', $failure->getMessage()];
        return new self("Cannot encode the handler's result as JSON: {$path} {$reason}", 0, $failure);
    }

    /** @return array{string, string}|null path and reason */
    private static function find(mixed $value, string $path, int $depth): ?array
    {
        if (is_float($value) && !is_finite($value)) {
            return [$path, 'is ' . (is_nan($value) ? 'NaN' : 'infinite') . ', which JSON does not have'];
        }
        if (is_string($value) && preg_match('//u', $value) !== 1) {
            return [$path, 'is not UTF-8 text; encode binary data, for example with base64_encode()'];
        }
        if (is_resource($value) || gettype($value) === 'resource (closed)') {
            return [$path, 'is a resource'];
        }
        if ($depth > 512) {
            return [$path, 'is nested more than 512 levels deep, or contains itself'];
        }
        if ($value instanceof \JsonSerializable) {
            $value = $value->jsonSerialize();
        }
        foreach (is_array($value) ? $value : (is_object($value) ? get_object_vars($value) : []) as $key => $member) {
            if (is_string($key) && preg_match('//u', $key) !== 1) {
                return [$path, 'has a key that is not UTF-8 text: 0x' . bin2hex($key)];
            }
            $found = self::find($member, is_int($key) ? "{$path}[{$key}]" : "{$path}.{$key}", $depth + 1);
            if ($found !== null) {
                return $found;
            }
        }
        return null;
    }
}
