<?php

/** The service refused a call, or could not be started. */

declare(strict_types=1);

namespace Lamella\Testing;

final class ServiceError extends \RuntimeException
{
    /** @param string $name AWS's name of the error: ResourceNotFoundException */
    public function __construct(public readonly string $name, string $message, public readonly int $status = 0)
    {
        parent::__construct("{$name}: {$message}");
    }
}
