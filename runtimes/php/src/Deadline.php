<?php

/**
 * Stops a handler shortly before Lambda would end the environment, with an error that shows where the handler was. A second
 * process (`DeadlineWatch`) wakes at that time and sends SIGALRM, because PHP has no timer finer than a second that leaves
 * sleep() alone. It sleeps otherwise: an invocation costs one write to a file that both processes share. Some calls of PHP
 * cannot be interrupted (databases, curl). For these the log names the open connections.
 */

declare(strict_types=1);

namespace Lamella;

final class Deadline
{
    /** How long before the deadline the handler is stopped: enough time to report and log the error. */
    private const RESERVED_MS = 120;
    /** How long the watch sleeps before it looks for the first invocation: less than the shortest timeout of a function. */
    private const FIRST_PERIOD_MS = 500;

    /** @var resource|null */
    private $shared = null;
    /** @var resource|null */
    private $lifeline = null;
    private int $deadlineMs = 0;
    /** @var array<string, int> settings with timeouts in seconds, and their values after the start of PHP */
    private array $timeouts = [];

    public function __construct(private readonly Settings $settings)
    {
        foreach (['default_socket_timeout', 'mysqlnd.net_read_timeout'] as $name) {
            $seconds = ini_get($name);
            if ($seconds !== false) {
                $this->timeouts[$name] = (int) $seconds;
            }
        }
    }

    /** Starts the second process. Call it before loading the project, so that the second process stays small. */
    public function watch(): void
    {
        $needed = ['pcntl_fork', 'pcntl_waitpid', 'pcntl_signal', 'pcntl_async_signals'];
        if (array_filter($needed, function_exists(...)) !== $needed) {
            return;
        }
        $name = @tempnam(sys_get_temp_dir(), 'php');
        if ($name === false) {
            return;
        }
        $shared = fopen($name, 'w+');
        $read = fopen($name, 'r');
        unlink($name);
        stream_set_write_buffer($shared, 0);
        fwrite($shared, "0\n");
        [$here, $there] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        $php = getmypid();
        $process = pcntl_fork();
        if ($process === 0) {
            fclose($here);
            // A grandchild, so that handlers that wait for all children do not wait for it.
            if (pcntl_fork() === 0) {
                $this->run($read, $there, $php);
            }
            exit(0);
        }
        fclose($there);
        fclose($read);
        if ($process > 0) {
            pcntl_waitpid($process, $status);
            $this->shared = $shared;
            $this->lifeline = $here;
        }
    }

    /** Call it after loading the handler, because loading must not be interrupted. */
    public function listen(): void
    {
        if ($this->shared !== null) {
            pcntl_async_signals(true);
            pcntl_signal(SIGALRM, $this->interrupt(...));
        }
    }

    public function begin(Invocation $invocation): void
    {
        $deadlineMs = (int) $invocation->header('Lambda-Runtime-Deadline-Ms');
        $this->deadlineMs = $deadlineMs;
        if ($this->shared !== null) {
            rewind($this->shared);
            fwrite($this->shared, "{$deadlineMs} {$invocation->requestId}\n");
        }
        // An unreachable server is the most common cause of timeouts. Let streams time out before the function does.
        $seconds = max(1, (int) ($deadlineMs / 1000 - microtime(true) - 0.5));
        foreach ($this->timeouts as $name => $maxSeconds) {
            $value = (string) min($seconds, $maxSeconds);
            // A handler may have changed it.
            if (ini_get($name) !== $value) {
                ini_set($name, $value);
            }
        }
    }

    public function end(): void
    {
        $this->deadlineMs = 0;
    }

    /** Ends the second process, of which a new process image would not know. */
    public function stop(): void
    {
        if ($this->lifeline !== null) {
            // Closing is not enough: a process that the handler started may hold the connection too.
            fwrite($this->lifeline, '.');
            // Returns when the second process has ended and its end of the connection is closed.
            fread($this->lifeline, 1);
            fclose($this->lifeline);
            $this->lifeline = null;
        }
    }

    /**
     * Waits. Returns true if PHP has ended or asks the second process to end.
     *
     * @param resource $lifeline
     */
    public static function endsWithin(int $milliseconds, $lifeline): bool
    {
        $readable = [$lifeline];
        $none = null;
        return stream_select($readable, $none, $none, intdiv($milliseconds, 1000), $milliseconds % 1000 * 1000) !== 0;
    }

    /**
     * The second process.
     *
     * @param resource $shared
     * @param resource $lifeline
     */
    private function run($shared, $lifeline, int $php): never
    {
        try {
            // No invocation can reach its deadline within this time.
            if (!self::endsWithin(self::FIRST_PERIOD_MS, $lifeline)) {
                (new DeadlineWatch($shared, $lifeline, $php, self::RESERVED_MS, $this->settings))->run(self::FIRST_PERIOD_MS);
            }
        } catch (\Throwable $thrown) {
            file_put_contents('php://stderr', "{$thrown}\n");
        }
        exit(0);
    }

    private function interrupt(): void
    {
        // The signal was late, and the invocation that it was for has ended.
        $left = $this->deadlineMs - (int) (microtime(true) * 1000);
        if ($this->deadlineMs === 0 || $left > 2 * self::RESERVED_MS) {
            return;
        }
        $this->deadlineMs = 0;
        rewind($this->shared);
        // Confirms the signal to the second process.
        fwrite($this->shared, "0 0000000000000000000000000000000000000000000000\n");
        throw new TimedOut("The handler was stopped {$left} ms before the function's timeout.");
    }
}
