<?php

/**
 * Base class of typed events. A handler gets one by declaring a parameter of a subclass: `function handle(SqsEvent $event)`.
 * An event from another source is an error.
 */

declare(strict_types=1);

namespace Lamella\Event;

abstract class Event extends EventValue
{
    /** The original JSON, if available. */
    private ?string $json = null;

    /** Throws UnexpectedEvent. @param mixed $event the decoded event */
    public static function of(mixed $event): static
    {
        if (!is_array($event) || !static::fits($event)) {
            throw UnexpectedEvent::instead($event, static::class);
        }
        return new static($event);
    }

    /**
     * Throws UnexpectedEvent, JsonException.
     *
     * @param string $json the event
     */
    public static function fromJson(string $json): self
    {
        $event = static::of(json_decode($json, true, flags: JSON_THROW_ON_ERROR));
        $event->json = $json;
        return $event;
    }

    /** The event for json_encode(). Empty objects stay `{}`. */
    public function jsonSerialize(): mixed
    {
        return $this->json === null ? $this->raw : json_decode($this->json);
    }

    /** @param array<array-key, mixed> $event */
    abstract protected static function fits(array $event): bool;

    /** Whether the event has records of this source. @param array<array-key, mixed> $event */
    protected static function hasRecordsOf(array $event, string $source): bool
    {
        $record = $event['Records'][0] ?? null;
        return is_array($record) && ($record['eventSource'] ?? $record['EventSource'] ?? null) === $source;
    }
}
