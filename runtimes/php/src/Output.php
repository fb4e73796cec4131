<?php

/**
 * Sends everything that PHP code prints to the function's log. An output buffer passes each piece on immediately and stores
 * nothing. It writes to the log itself, because PHP would treat output as the end of the headers: headers_sent() would stay
 * true, and with it no session could start for the life of the process.
 */

declare(strict_types=1);

namespace Lamella;

final class Output
{
    /** @var resource|null */
    private $log = null;
    /** Whether the buffer is in place. Code may remove it, for example with `while (ob_get_level()) ob_end_clean();`. */
    private bool $isBuffering = false;

    /** Call it before the first output. */
    public function start(): void
    {
        // A descriptor of its own, so that the log survives a handler that closes STDOUT.
        $this->log ??= fopen('php://stdout', 'w') ?: null;
        $this->isBuffering = ob_start([$this, 'write'], 1);
    }

    /** The callback of the buffer. */
    public function write(string $text, int $phase): string
    {
        if (($phase & PHP_OUTPUT_HANDLER_FINAL) !== 0) {
            $this->isBuffering = false;
        }
        if ($text !== '' && $this->log !== null) {
            @fwrite($this->log, $text);
        }
        return '';
    }

    /**
     * Sends the contents of all other buffers to the log and ends them. Returns false if that is impossible: a buffer cannot be
     * removed, or output has reached PHP itself.
     */
    public function reset(): bool
    {
        if ($this->isBuffering && ob_get_level() === 1) {
            return !headers_sent();
        }
        for ($level = ob_get_level(); $level > ($this->isBuffering ? 1 : 0); $level = ob_get_level()) {
            if (!@ob_end_flush() || ob_get_level() >= $level) {
                return false;
            }
        }
        if (headers_sent()) {
            return false;
        }
        if (!$this->isBuffering) {
            $this->start();
        }
        return true;
    }

    /** Closes the log, so that a new process image does not inherit the descriptor. */
    public function close(): void
    {
        if ($this->log !== null) {
            fclose($this->log);
            $this->log = null;
        }
    }
}
