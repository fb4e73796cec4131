<?php

/** An email received by SES: headers and verdicts, without the body. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $eventSource
 * @property-read string $eventVersion
 * @property-read array{mail: array<string, mixed>, receipt: array<string, mixed>} $ses
 */
final class SesRecord extends EventValue
{
    /** The message ID, which is also the S3 key of the email if a rule stores it there. */
    public function messageId(): string
    {
        return (string) $this->get('ses.mail.messageId');
    }

    public function subject(): string
    {
        return (string) $this->get('ses.mail.commonHeaders.subject');
    }

    /** @return list<string> */
    public function recipients(): array
    {
        return $this->get('ses.receipt.recipients', []);
    }

    /** False if any of the spam, virus, SPF and DKIM verdicts is FAIL. */
    public function passed(): bool
    {
        foreach (['spam', 'virus', 'spf', 'dkim'] as $test) {
            if ($this->get("ses.receipt.{$test}Verdict.status") === 'FAIL') {
                return false;
            }
        }
        return true;
    }
}
