<?php

/**
 * Runs a script for each event, as on a command line. The event holds the arguments: a string, or `{"cli": "..."}` as in
 * Bref. A shell runs the whole line, so `migrate && php artisan queue:restart` runs both commands. The output goes to the log
 * and into the result. A nonzero exit code is an error.
 */

declare(strict_types=1);

namespace Lamella;

final class Console
{
    /** Maximum number of bytes of the output, counted from its end, in a result. Fits even if every byte is escaped. */
    private const MAX_OUTPUT_BYTES = 1_000_000;
    /** Time reserved for ending a command and reporting it: this maximum, or this share of the remaining time if less. */
    private const RESERVED_SECONDS = 1.0;
    private const RESERVED_SHARE = 0.15;
    /** How often to check whether the command has ended while a child process of it keeps its output open. */
    private const POLL_SECONDS = 0.02;
    private const PIECE_BYTES = 65536;
    /** More than a pipe holds. */
    private const REMAINING_PIECES = 4;

    public function __construct(private readonly string $script)
    {
    }

    /** @return array{exitCode: int, output: string} */
    public function __invoke(mixed $event, Context $context): array
    {
        $arguments = is_array($event) ? $event['cli'] ?? '' : $event ?? '';
        if (!is_string($arguments)) {
            throw new \InvalidArgumentException('The event of a console function must be a string with the arguments, or '
                . '{"cli": "arguments"}, not ' . get_debug_type($arguments) . '.');
        }
        $command = escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg($this->script) . " {$arguments}";
        $environment = ['LAMBDA_INVOCATION_CONTEXT' => json_encode([
            'awsRequestId' => $context->requestId,
            'deadlineMs' => $context->deadlineMs,
            'invokedFunctionArn' => $context->invokedFunctionArn,
            'traceId' => $context->traceId,
        ], JSON_UNESCAPED_SLASHES)] + getenv();
        $streams = [0 => ['file', '/dev/null', 'r'], 1 => ['pipe', 'w'], 2 => ['redirect', 1]];
        $process = proc_open(['/bin/sh', '-c', $command], $streams, $pipes, null, $environment);
        if ($process === false) {
            throw new \RuntimeException("Cannot start the command: {$command}");
        }
        [$output, $exitCode] = $this->run($pipes[1], $process, $context);
        if ($exitCode !== 0) {
            throw new \RuntimeException("The command '{$arguments}' ended with exit code {$exitCode}: "
                . substr($output, -4096));
        }
        return ['exitCode' => 0, 'output' => self::utf8($output)];
    }

    /**
     * Waits for the end of the command. A child process that it left behind may keep its output open.
     *
     * @param resource $pipe
     * @param resource $process
     * @return array{string, int} output, exit code
     */
    private function run($pipe, $process, Context $context): array
    {
        $remaining = $context->getRemainingTimeInMillis() / 1000;
        $deadline = microtime(true) + $remaining - min(self::RESERVED_SECONDS, $remaining * self::RESERVED_SHARE);
        $output = '';
        $exitCode = null;
        $pause = 0.001;
        while ($exitCode === null) {
            $left = $deadline - microtime(true);
            if ($left <= 0) {
                self::kill(proc_get_status($process)['pid']);
                proc_close($process);
                throw new \RuntimeException('The command was stopped because the function is about to time out.');
            }
            if (feof($pipe)) {
                // Its output is closed, but it may still run.
                usleep((int) (min($left, $pause) * 1e6));
                $pause = min(2 * $pause, self::POLL_SECONDS);
            } else {
                $output = self::read($pipe, $output, min($left, self::POLL_SECONDS));
            }
            $exitCode = self::exitCode($process);
        }
        // What is still in the pipe. A child process may write forever.
        for ($count = 0; $count < self::REMAINING_PIECES && !feof($pipe); $count++) {
            $output = self::read($pipe, $output, 0.0);
        }
        fclose($pipe);
        proc_close($process);
        return [$output, $exitCode];
    }

    /**
     * Reads what arrives within some time, and logs it.
     *
     * @param resource $pipe
     */
    private static function read($pipe, string $output, float $seconds): string
    {
        $readable = [$pipe];
        $none = null;
        if (stream_select($readable, $none, $none, (int) $seconds, (int) (fmod($seconds, 1) * 1e6)) !== 1) {
            return $output;
        }
        $piece = (string) fread($pipe, self::PIECE_BYTES);
        file_put_contents('php://stderr', $piece);
        return substr($output . $piece, -self::MAX_OUTPUT_BYTES);
    }

    /**
     * The exit code, as a shell reports it; null while the command runs.
     *
     * @param resource $process
     */
    private static function exitCode($process): ?int
    {
        // Before PHP 8.3 only the first call after the end returns the code.
        $status = proc_get_status($process);
        return match (true) {
            $status['running'] => null,
            $status['signaled'] => 128 + $status['termsig'],
            default => $status['exitcode'],
        };
    }

    /** Kills a process and its descendants: the shell would not pass a signal on. */
    private static function kill(int $process): void
    {
        $children = [];
        foreach (glob('/proc/[0-9]*/stat') ?: [] as $file) {
            // PID (name) state parent; the name may contain anything.
            $fields = explode(' ', (string) strrchr((string) @file_get_contents($file), ')'));
            $children[(int) ($fields[2] ?? 0)][] = (int) substr($file, 6);
        }
        for ($killed = [$process]; $killed !== []; $killed = array_slice($killed, 1)) {
            array_push($killed, ...$children[$killed[0]] ?? []);
            function_exists('posix_kill') ? posix_kill($killed[0], 9) : exec("kill -9 {$killed[0]}");
        }
    }

    /** Replaces invalid UTF-8: the output may be binary, or begin in the middle of a character. */
    private static function utf8(string $text): string
    {
        return json_decode(json_encode($text, JSON_INVALID_UTF8_SUBSTITUTE));
    }
}
