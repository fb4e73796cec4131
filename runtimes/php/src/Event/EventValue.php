<?php

/**
 * A JSON object in an event. Every member is available under AWS's name, including those that the subclass does not declare:
 * `$record->eventSourceARN`, `$record['dynamodb']['Keys']`, `$event->get('detail.user.name')`. A missing member is null.
 * Subclasses declare members for editors (`@property-read`), name members that are event values themselves, and add methods
 * for derived values. Members are converted on access, so that an unread value costs one object.
 */

declare(strict_types=1);

namespace Lamella\Event;

/** @implements \ArrayAccess<string, mixed> */
abstract class EventValue implements \ArrayAccess, \JsonSerializable
{
    /** Members that are event values: name => class. A class inside a list applies to each element of a list. */
    protected const VALUES = [];

    /** @var array<string, mixed> event values created so far */
    private array $values = [];

    /** @param array<array-key, mixed> $raw the decoded JSON object */
    final public function __construct(public readonly array $raw)
    {
    }

    public function __get(string $name): mixed
    {
        $value = $this->raw[$name] ?? null;
        $class = static::VALUES[$name] ?? null;
        if ($class === null || !is_array($value)) {
            return $value;
        }
        return $this->values[$name] ??= is_array($class)
            ? array_map(static fn (array $element) => new $class[0]($element), $value)
            : new $class($value);
    }

    public function __isset(string $name): bool
    {
        return isset($this->raw[$name]);
    }

    /** The member at a path of names and positions separated by dots: `Records.0.s3.bucket.name`. */
    public function get(string $path, mixed $default = null): mixed
    {
        $value = $this->raw;
        foreach (explode('.', $path) as $step) {
            if (!is_array($value) || !array_key_exists($step, $value)) {
                return $default;
            }
            $value = $value[$step];
        }
        return $value;
    }

    /** @return array<array-key, mixed> */
    public function toArray(): array
    {
        return $this->raw;
    }

    public function jsonSerialize(): mixed
    {
        return $this->raw;
    }

    public function offsetExists(mixed $offset): bool
    {
        return isset($this->raw[$offset]);
    }

    public function offsetGet(mixed $offset): mixed
    {
        return $this->raw[$offset] ?? null;
    }

    public function offsetSet(mixed $offset, mixed $value): never
    {
        throw new \LogicException('An event is read-only. Use toArray() to get a copy that you can change.');
    }

    public function offsetUnset(mixed $offset): never
    {
        $this->offsetSet($offset, null);
    }
}
