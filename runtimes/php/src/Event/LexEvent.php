<?php

/** One turn of a conversation with a Lex V2 bot. https://docs.aws.amazon.com/lexv2/latest/dg/lambda-input-format.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string|null $messageVersion
 * @property-read string|null $invocationSource
 * @property-read string|null $inputMode
 * @property-read string|null $sessionId
 * @property-read string|null $inputTranscript
 * @property-read array<string, string> $bot
 * @property-read array<string, mixed>|null $sessionState
 * @property-read list<array<string, mixed>>|null $interpretations
 * @property-read array<string, string>|null $requestAttributes
 */
final class LexEvent extends Event
{
    protected static function fits(array $event): bool
    {
        return isset($event['bot']) && (isset($event['sessionState']) || isset($event['currentIntent']));
    }
}
