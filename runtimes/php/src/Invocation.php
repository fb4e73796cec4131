<?php

/** One invocation as the Runtime API handed it over: its id, the event as it came, and the headers, read when asked. */

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

    /** The value of a header, whatever the case of its name; '' if there is none. */
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
