<?php

/**
 * Ends a handler shortly before Lambda would end the whole environment, with an error that says where it was. A process
 * beside this one (`DeadlineWatch`) wakes when the time comes and sends SIGALRM, because PHP itself has no timer finer than
 * a second that leaves sleep() alone. Between, it sleeps: an invocation costs one write into a file that both share. What
 * PHP cannot be interrupted in (a database, curl) is at least named, with whom it is connected to.
 */

declare(strict_types=1);

namespace Lamella;

final class Deadline
{
    /** Before the end, enough to report and log what happened. */
    private const RESERVED_MS = 120;
    /** The first invocation may begin, and be the shortest that Lambda allows, while this goes by. */
    private const FIRST_PERIOD_MS = 500;

    /** @var resource|null */
    private $shared = null;
    /** @var resource|null */
    private $lifeline = null;
    private int $deadlineMs = 0;
    private int $socketTimeout;

    public function __construct(private readonly Settings $settings)
    {
        $this->socketTimeout = (int) ini_get('default_socket_timeout');
    }

    /** To be called before anything of the project is loaded, of which the other process is to hold nothing. */
    public function watch(): void
    {
        $name = function_exists('pcntl_fork') ? tempnam(sys_get_temp_dir(), 'php') : false;
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
            // A child of a child, for handlers that wait until all children of PHP have ended.
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

    /** To be called once the handler is loaded, which must not be interrupted. */
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

    /** Ends the other process, which a new process image would not know of. */
    public function stop(): void
    {
        if ($this->lifeline !== null) {
            // Said, because a process that the handler has started may hold the connection too.
            fwrite($this->lifeline, '.');
            // The other process has ended when its end of the connection has.
            fread($this->lifeline, 1);
            fclose($this->lifeline);
            $this->lifeline = null;
        }
    }

    /**
     * Waits; says whether there is nothing left to watch.
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
     * What the other process does.
     *
     * @param resource $shared
     * @param resource $lifeline
     */
    private function run($shared, $lifeline, int $php): never
    {
        try {
            // The first invocation can wait longer for its end than for its beginning.
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
        // Too late, or meant for an invocation that has ended.
        $left = $this->deadlineMs - (int) (microtime(true) * 1000);
        if ($this->deadlineMs === 0 || $left > 2 * self::RESERVED_MS) {
            return;
        }
        $this->deadlineMs = 0;
        rewind($this->shared);
        // Tells the other process that PHP has heard.
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
