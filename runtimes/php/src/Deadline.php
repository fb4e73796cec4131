<?php

/**
 * Ends a handler shortly before Lambda would end the whole environment, with an error that says where it was. A shell
 * beside this process wakes when the time comes and sends SIGALRM, because PHP itself has no timer finer than a second
 * that leaves sleep() alone. Between, it sleeps: an invocation costs one write into a file that both share. What PHP
 * cannot be interrupted in (a database, curl) is at least named, by the shell, with whom it is connected to.
 */

declare(strict_types=1);

namespace Lamella;

final class Deadline
{
    /** Before the end, enough to report and log what happened. */
    private const RESERVED_MS = 120;

    /** @var resource|null */
    private $shared = null;
    /** @var resource|null */
    private $watch = null;
    private int $deadlineMs = 0;
    private int $socketTimeout;

    public function __construct(private readonly Settings $settings)
    {
        $this->socketTimeout = (int) ini_get('default_socket_timeout');
    }

    /** To be called once the handler is loaded. Without pcntl or a shell nothing is watched. */
    public function watch(): void
    {
        $shared = function_exists('pcntl_signal') ? tmpfile() : false;
        if ($shared === false) {
            return;
        }
        stream_set_write_buffer($shared, 0);
        fwrite($shared, "0\n");
        $script = ['/bin/sh', __DIR__ . '/deadline.sh', (string) getmypid(), (string) self::RESERVED_MS];
        $format = $this->settings->logsJson ? 'JSON' : 'Text';
        $streams = [0 => ['file', '/dev/null', 'r'], 1 => STDERR, 2 => ['file', '/dev/null', 'w'], 3 => $shared];
        $watch = @proc_open([...$script, $format, $this->settings->runtimeApi], $streams, $pipes);
        if ($watch === false) {
            return;
        }
        $this->shared = $shared;
        $this->watch = $watch;
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, $this->interrupt(...));
    }

    public function begin(Invocation $invocation): void
    {
        $deadlineMs = (int) $invocation->header('Lambda-Runtime-Deadline-Ms');
        $this->deadlineMs = $deadlineMs;
        if ($this->shared !== null) {
            rewind($this->shared);
            fwrite($this->shared, "{$deadlineMs} {$invocation->requestId}\n");
        }
        // An unreachable server is the commonest way to lose time: streams give up before the function does.
        $seconds = max(1, (int) ($deadlineMs / 1000 - microtime(true) - 0.5));
        if ($seconds < $this->socketTimeout || $seconds > $this->socketTimeout) {
            $this->boundSockets($seconds);
        }
    }

    public function end(): void
    {
        $this->deadlineMs = 0;
    }

    /** Ends the shell, which a new process image would not know of. */
    public function stop(): void
    {
        if ($this->watch !== null) {
            proc_terminate($this->watch, 9);
            proc_close($this->watch);
            $this->watch = null;
        }
    }

    private function interrupt(): void
    {
        // Too late, or meant for an invocation that has ended.
        $left = $this->deadlineMs - (int) (microtime(true) * 1000);
        if ($this->deadlineMs === 0 || $left > 2 * self::RESERVED_MS) {
            return;
        }
        $this->deadlineMs = 0;
        rewind($this->shared);
        // Tells the shell that PHP has heard.
        fwrite($this->shared, "0 0000000000000000000000000000000000000000000000\n");
        throw new TimedOut("The handler was stopped {$left} ms before the time of the function was over.");
    }

    private function boundSockets(int $seconds): void
    {
        static $most = null;
        $most ??= $this->socketTimeout;
        $seconds = min($seconds, $most);
        if ($seconds !== $this->socketTimeout) {
            $this->socketTimeout = $seconds;
            ini_set('default_socket_timeout', (string) $seconds);
            if (ini_get('mysqlnd.net_read_timeout') !== false) {
                ini_set('mysqlnd.net_read_timeout', (string) $seconds);
            }
        }
    }
}
