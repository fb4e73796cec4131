<?php

/** The event is not of the type that the handler declares. */

declare(strict_types=1);

namespace Lamella\Event;

final class UnexpectedEvent extends \RuntimeException
{
    public static function instead(mixed $event, string $wanted): self
    {
        $wanted = substr((string) strrchr("\\{$wanted}", '\\'), 1);
        return new self("The handler expects {$wanted}, but the event is " . self::describe($event)
            . '. Declare the parameter as array to accept any event.');
    }

    public static function notHttp(mixed $event): self
    {
        return new self('The handler expects an HTTP request (function URL, API Gateway, load balancer), but the event is '
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
