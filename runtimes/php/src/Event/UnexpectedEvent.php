<?php

/** The handler asks for an event of one source, and got something else. */

declare(strict_types=1);

namespace Lamella\Event;

final class UnexpectedEvent extends \RuntimeException
{
    public static function instead(mixed $event, string $wanted): self
    {
        $wanted = substr((string) strrchr("\\{$wanted}", '\\'), 1);
        return new self("The handler asks for {$wanted}, but the event is " . self::describe($event)
            . '. A parameter of type array takes any event.');
    }

    public static function notHttp(mixed $event): self
    {
        return new self('The handler serves HTTP requests (function URL, API Gateway, load balancer), but the event is '
            . self::describe($event) . '.');
    }

    private static function describe(mixed $event): string
    {
        if (!is_array($event)) {
            return get_debug_type($event);
        }
        $source = $event['Records'][0]['eventSource'] ?? $event['Records'][0]['EventSource'] ?? $event['source']
            ?? $event['eventSource'] ?? null;
        $members = implode(', ', array_slice(array_keys($event), 0, 8));
        return is_string($source) ? "from {$source} ({$members})" : ($members === '' ? 'empty' : "one with {$members}");
    }
}
