<?php

/**
 * What a handler gets that declares a parameter of one of the subclasses: `function handle(SqsEvent $event)`. An event of
 * another source is refused by name rather than misread.
 */

declare(strict_types=1);

namespace Lamella\Event;

abstract class Event extends EventValue
{
    /** As it came, if it is known. */
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
     * @param string $json the event as it came
     */
    public static function fromJson(string $json): self
    {
        $event = static::of(json_decode($json, true, flags: JSON_THROW_ON_ERROR));
        $event->json = $json;
        return $event;
    }

    /** The event as it came, with `{}` where there was `{}`: to be passed on, or returned. */
    public function jsonSerialize(): mixed
    {
        return $this->json === null ? $this->raw : json_decode($this->json);
    }

    /** @param array<array-key, mixed> $event */
    abstract protected static function fits(array $event): bool;

    /** Whether it is a list of records of this source. @param array<array-key, mixed> $event */
    protected static function hasRecordsOf(array $event, string $source): bool
    {
        $record = $event['Records'][0] ?? null;
        return is_array($record) && ($record['eventSource'] ?? $record['EventSource'] ?? null) === $source;
    }
}
