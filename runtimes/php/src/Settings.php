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
        /**
         * What the handler is: `function` is called in this process, and may be a kernel that stays booted; with `worker`
         * it must be one; `http` is a script for each request, `console` one for each event.
         */
        public string $mode,
        /** Whether bodies of HTTP responses go as Base64: auto, always or never. */
        public string $binary,
        /** Folder of a web application's files, absolute; '' for the handler's own unless that is the whole package. */
        public string $documentRoot,
        /** File that returns the project's container, below the package; '' for none. */
        public string $container,
        /** The handler is ended with an error before Lambda ends the environment. */
        public bool $watchesDeadline,
        /** The response and the request for the next invocation go in one write. */
        public bool $pipelines,
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
        $taskRoot = $read('LAMBDA_TASK_ROOT', '/var/task');
        $modes = ['' => 'function', 'fpm' => 'http', 'Bref\\FunctionRuntime\\Main' => 'function',
            'Bref\\FpmRuntime\\Main' => 'http', 'Bref\\ConsoleRuntime\\Main' => 'console'];
        $mode = $read('LAMELLA_MODE', $read('BREF_RUNTIME'));
        $documentRoot = $read('LAMELLA_DOCUMENT_ROOT');
        $isIsolated = $read('LAMELLA_ISOLATE') === '1';
        $mode = $modes[$mode] ?? $mode;
        return new self(
            runtimeApi: $read('AWS_LAMBDA_RUNTIME_API'),
            handler: $read('_HANDLER'),
            taskRoot: $taskRoot,
            memoryMib: (int) $read('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'),
            logsJson: $read('AWS_LAMBDA_LOG_FORMAT') === 'JSON',
            rawStrings: $read('LAMELLA_RAW_STRING') === '1',
            mode: $mode,
            binary: $read('LAMELLA_BINARY', $read('BREF_BINARY_RESPONSES') === '1' ? 'always' : 'auto'),
            documentRoot: match (true) {
                $documentRoot === '' => '',
                $documentRoot[0] === '/' => rtrim($documentRoot, '/'),
                default => rtrim("{$taskRoot}/" . preg_replace('~^(\./?)+~', '', $documentRoot), '/'),
            },
            container: $read('LAMELLA_CONTAINER'),
            watchesDeadline: ($mode === 'function' || $mode === 'worker') && $read('LAMELLA_DEADLINE') !== '0',
            pipelines: $read('LAMELLA_PIPELINE') === '1' && !$isIsolated,
            streams: $read('LAMELLA_STREAMING') === '1',
            maxInvocations: $isIsolated ? 1 : (int) $read('LAMELLA_MAX_INVOCATIONS', $read('BREF_LOOP_MAX')),
            maxMemory: ini_parse_quantity($read('LAMELLA_MAX_MEMORY', '0')),
        );
    }

    /** Throws ConfigurationError. */
    public function check(): void
    {
        $known = ['mode' => ['function', 'worker', 'http', 'console'], 'binary' => ['auto', 'always', 'never']];
        foreach ($known as $name => $values) {
            if (!in_array($this->$name, $values, true)) {
                $variable = $name === 'mode' ? 'LAMELLA_MODE (or BREF_RUNTIME)' : 'LAMELLA_BINARY';
                $choice = implode(', ', $values);
                throw new ConfigurationError("{$variable} is '{$this->$name}', and can be one of: {$choice}.");
            }
        }
    }

    /** Below the function's own limit, so that PHP can still say what happened; a limit set by the project stays. */
    public function limitMemory(): void
    {
        if ($this->memoryMib > 2 * self::OUTSIDE_THE_HEAP_MIB && ini_get('memory_limit') === '-1') {
            ini_set('memory_limit', ($this->memoryMib - self::OUTSIDE_THE_HEAP_MIB) . 'M');
        }
    }
}
