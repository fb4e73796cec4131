<?php

/** One invocation from the Runtime API: request ID, event and headers. Headers are parsed on access. */

declare(strict_types=1);

namespace Lamella;

final readonly class Invocation
{
    public string $requestId;

    public function __construct(
        private string $head,
        /** The event, as JSON. */
        public string $payload,
    ) {
        $this->requestId = $this->header('Lambda-Runtime-Aws-Request-Id');
    }

    /** The value of a header. Names are case-insensitive. Returns '' if the header is missing. */
    public function header(string $name): string
    {
        $at = stripos($this->head, "\r\n{$name}:");
        if ($at === false) {
            return '';
        }
        $start = $at + strlen($name) + 3;
        $end = strpos($this->head, "\r\n", $start);
        return trim($end === false ? substr($this->head, $start) : substr($this->head, $start, $end - $start));
    }

    public function context(): Context
    {
        return Context::of($this);
    }
}
