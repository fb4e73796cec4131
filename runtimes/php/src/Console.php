<?php

/**
 * Runs a script for each event, as on a command line. The event holds the arguments: a string, or `{"cli": "..."}` as in
 * Bref. The output goes to the log and into the result. A nonzero exit code is an error.
 */

declare(strict_types=1);

namespace Lamella;

final class Console
{
    /** Maximum number of bytes of the output, counted from its end, in a result. Fits even if every byte is escaped. */
    private const MAX_OUTPUT_BYTES = 1_000_000;
    private const RESERVED_SECONDS = 1.0;

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
        // The shell splits the arguments, as it does on a terminal.
        $command = 'exec ' . escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg($this->script) . " {$arguments} 2>&1";
        $environment = ['LAMBDA_INVOCATION_CONTEXT' => json_encode([
            'awsRequestId' => $context->requestId,
            'deadlineMs' => $context->deadlineMs,
            'invokedFunctionArn' => $context->invokedFunctionArn,
            'traceId' => $context->traceId,
        ], JSON_UNESCAPED_SLASHES)] + getenv();
        $streams = [0 => ['file', '/dev/null', 'r'], 1 => ['pipe', 'w']];
        $process = proc_open(['/bin/sh', '-c', $command], $streams, $pipes, null, $environment);
        if ($process === false) {
            throw new \RuntimeException("Cannot start the command: {$command}");
        }
        $output = $this->read($pipes[1], $process, $context);
        $exitCode = proc_close($process);
        if ($exitCode !== 0) {
            throw new \RuntimeException("The command '{$arguments}' ended with exit code {$exitCode}: "
                . substr($output, -4096));
        }
        return ['exitCode' => 0, 'output' => self::utf8($output)];
    }

    /**
     * @param resource $pipe
     * @param resource $process
     */
    private function read($pipe, $process, Context $context): string
    {
        $deadline = $context->deadlineMs / 1000 - self::RESERVED_SECONDS;
        $output = '';
        while (!feof($pipe)) {
            $left = $deadline - microtime(true);
            $readable = [$pipe];
            $none = null;
            if ($left <= 0 || stream_select($readable, $none, $none, (int) $left, (int) (fmod($left, 1) * 1e6)) === 0) {
                proc_terminate($process, 9);
                throw new \RuntimeException('The command was stopped because the function is about to time out.');
            }
            $piece = (string) fread($pipe, 65536);
            file_put_contents('php://stderr', $piece);
            $output = substr($output . $piece, -self::MAX_OUTPUT_BYTES);
        }
        return $output;
    }

    /** Replaces invalid UTF-8: the output may be binary, or begin in the middle of a character. */
    private static function utf8(string $text): string
    {
        return json_decode(json_encode($text, JSON_INVALID_UTF8_SUBSTITUTE));
    }
}
