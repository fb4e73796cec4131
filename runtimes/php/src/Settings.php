<?php

/** What the environment's variables say, read once. */

declare(strict_types=1);

namespace Lamella;

final readonly class Settings
{
    /** What the process needs beside PHP's own heap: the binary, libraries, stacks. */
    private const OUTSIDE_THE_HEAP_MIB = 32;

    public function __construct(
        public string $runtimeApi,
        public string $handler,
        public string $taskRoot,
        /** Memory of the function in MiB, 0 if unknown. */
        public int $memoryMib,
        public bool $logsJson,
        /** A string that a handler returns is the response body as it is, whatever the handler's form. */
        public bool $rawStrings,
        /** An iterable result is streamed. The runtime cannot tell whether the caller asked for a stream. */
        public bool $streams,
        /** Invocations after which the process starts afresh; 0 for never. */
        public int $maxInvocations,
        /** Bytes of PHP's heap after which it starts afresh; 0 for three quarters of the limit. */
        public int $maxMemory,
    ) {
    }

    public static function fromEnvironment(): self
    {
        $read = static fn (string $name, string $default = ''): string => ($value = getenv($name)) === false
            ? $default
            : $value;
        return new self(
            runtimeApi: $read('AWS_LAMBDA_RUNTIME_API'),
            handler: $read('_HANDLER'),
            taskRoot: $read('LAMBDA_TASK_ROOT', '/var/task'),
            memoryMib: (int) $read('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'),
            logsJson: $read('AWS_LAMBDA_LOG_FORMAT') === 'JSON',
            rawStrings: $read('LAMELLA_RAW_STRING') === '1',
            streams: $read('LAMELLA_STREAMING') === '1',
            maxInvocations: (int) $read('LAMELLA_MAX_INVOCATIONS', $read('BREF_LOOP_MAX')),
            maxMemory: ini_parse_quantity($read('LAMELLA_MAX_MEMORY', '0')),
        );
    }

    /** Below the function's own limit, so that PHP can still say what happened; a limit set by the project stays. */
    public function limitMemory(): void
    {
        if ($this->memoryMib > 2 * self::OUTSIDE_THE_HEAP_MIB && ini_get('memory_limit') === '-1') {
            ini_set('memory_limit', ($this->memoryMib - self::OUTSIDE_THE_HEAP_MIB) . 'M');
        }
    }
}
