<?php

/** How an invocation ended. An error of the function is a result, too. */

declare(strict_types=1);

namespace Lamella\Testing;

final class Result
{
    /**
     * @param string|null $functionError `Unhandled`, or null if the function did not fail
     * @param mixed $payload the decoded response; its text if it is not JSON
     * @param string $log the last 4 KB of the log of this invocation
     * @param bool $cold whether the environment was started for this invocation
     */
    public function __construct(
        public readonly int $status,
        public readonly ?string $functionError,
        public readonly mixed $payload,
        public readonly string $log,
        public readonly bool $cold,
        public readonly string $requestId,
    ) {
    }
}
