<?php

/**
 * A part of an event. Every member that AWS sent can be read under AWS's own name, also those that nobody here knows of:
 * `$record->eventSourceARN`, `$record['dynamodb']['Keys']`, `$event->get('detail.user.name')`; what is not there is null.
 * Subclasses say which members there are (`@property-read`), which of them are shapes again, and add what is worth
 * computing. Nothing is copied or checked ahead: a shape costs one object until it is read.
 */

declare(strict_types=1);

namespace Lamella\Event;

/** @implements \ArrayAccess<string, mixed> */
abstract class EventValue implements \ArrayAccess, \JsonSerializable
{
    /** Members that are shapes: name => class; a class in a list is for each element of a list. */
    protected const VALUES = [];

    /** @var array<string, mixed> shapes made so far */
    private array $values = [];

    /** @param array<array-key, mixed> $raw as AWS sent it */
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

    /** The member at a path of names and positions joined by dots: `Records.0.s3.bucket.name`. */
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
        throw new \LogicException('An event cannot be changed; toArray() gives a copy that can.');
    }

    public function offsetUnset(mixed $offset): never
    {
        $this->offsetSet($offset, null);
    }
}
