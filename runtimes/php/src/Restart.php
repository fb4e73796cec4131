<?php

/**
 * Restarts PHP in the same process: a new process image with the same process ID and the environment variables that Lambda
 * set, without changes by the handler. Neither Lambda nor an extension notices it.
 */

declare(strict_types=1);

namespace Lamella;

final class Restart
{
    /** @var list<\Closure(): void> end what would survive this process image, such as a child process */
    public array $beforeRestart = [];
    /** @var list<string> command line options of PHP */
    public array $options = [];

    /**
     * @param list<string> $arguments the script and its arguments
     * @param array<string, string> $environment
     */
    public function __construct(private readonly array $arguments, private readonly array $environment)
    {
    }

    /**
     * Does not return. Without the extension pcntl the process ends, and Lambda starts another environment.
     *
     * @param array<string, string> $more environment variables to add
     */
    public function now(array $more = []): never
    {
        while (ob_get_level() > 0 && @ob_end_flush()) {
        }
        if (ob_get_level() > 0) {
            // A buffer that cannot be removed.
            file_put_contents('php://stdout', (string) ob_get_contents());
        }
        foreach ($this->beforeRestart as $action) {
            $action();
        }
        if (function_exists('pcntl_exec')) {
            pcntl_exec(PHP_BINARY, [...$this->options, ...$this->arguments], $more + $this->environment);
        }
        exit(1);
    }
}
