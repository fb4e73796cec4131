<?php

/**
 * Begins again in the same process: a new PHP image under the same process id, with the variables that Lambda set and not
 * those that a handler left behind. Neither Lambda nor an extension can tell it from the old one.
 */

declare(strict_types=1);

namespace Lamella;

final class Restart
{
    /** What must end with this process image, such as a child that would outlive it. */
    public ?\Closure $beforeRestart = null;

    /**
     * @param list<string> $arguments the script, then its arguments
     * @param array<string, string> $environment
     */
    public function __construct(private readonly array $arguments, private readonly array $environment)
    {
    }

    /**
     * Does not return. Where PHP has no pcntl the process ends, and Lambda starts another environment.
     *
     * @param array<string, string> $more variables to add
     */
    public function now(array $more = []): never
    {
        while (ob_get_level() > 0 && @ob_end_flush()) {
        }
        if ($this->beforeRestart !== null) {
            ($this->beforeRestart)();
        }
        if (function_exists('pcntl_exec')) {
            pcntl_exec(PHP_BINARY, $this->arguments, $more + $this->environment);
        }
        exit(1);
    }
}
