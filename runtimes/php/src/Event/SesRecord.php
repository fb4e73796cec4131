<?php

/** A mail that SES received: its headers and verdicts, without the body. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $eventSource
 * @property-read string $eventVersion
 * @property-read array{mail: array<string, mixed>, receipt: array<string, mixed>} $ses
 */
final class SesRecord extends EventValue
{
    /** Under this name the mail lies in S3, if a rule puts it there. */
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

    /** Whether none of spam, virus, SPF and DKIM was judged FAIL. */
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
