<?php

/** The runtime's settings, read once from environment variables. */

declare(strict_types=1);

namespace Lamella;

final readonly class Settings
{
    /** Memory that the process needs outside of PHP's heap: the binary, libraries, stacks. */
    private const OUTSIDE_THE_HEAP_MIB = 32;

    public function __construct(
        public string $runtimeApi,
        public string $handler,
        public string $taskRoot,
        /** The function's memory in MiB; 0 if unknown. */
        public int $memoryMib,
        public bool $logsJson,
        /** A string result is sent unchanged, for every form of handler. */
        public bool $rawStrings,
        /**
         * The kind of handler. `function` is called in this process and may be a kernel that stays booted; with `worker` it
         * must be one. `http` runs a script for each request, `console` runs one for each event.
         */
        public string $mode,
        /** Whether bodies of HTTP responses are sent as Base64: auto, always or never. */
        public string $binary,
        /** Absolute path of the web application; '' for the handler's directory, unless that is the whole package. */
        public string $documentRoot,
        /** REMOTE_ADDR of web applications; '' for the address of the client. */
        public string $remoteAddress,
        /** File in the package that returns the project's container; '' for none. */
        public string $container,
        /** Whether a handler is stopped with an error before Lambda ends the environment. */
        public bool $watchesDeadline,
        /** Whether the response and GET next are sent in one write. */
        public bool $pipelines,
        /** Whether iterable results are streamed. The runtime cannot tell whether the caller asked for a stream. */
        public bool $streams,
        /** The process restarts after this number of invocations; 0 for never. */
        public int $maxInvocations,
        /** The process restarts when PHP's heap exceeds this number of bytes; 0 for 75 % of the memory limit. */
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
        // Bref's php-fpm sees every request come from 127.0.0.1. Settings of Bref projects for trusted proxies depend on it.
        $isBrefProject = $mode === 'http' && ($read('BREF_RUNTIME') !== '' || is_dir("{$taskRoot}/vendor/bref/bref"));
        $remoteAddress = $read('LAMELLA_REMOTE_ADDR', $isBrefProject ? '127.0.0.1' : 'client');
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
            remoteAddress: $remoteAddress === 'client' ? '' : $remoteAddress,
            container: $read('LAMELLA_CONTAINER'),
            watchesDeadline: self::isInProcess($mode) && $read('LAMELLA_DEADLINE') !== '0',
            pipelines: $read('LAMELLA_PIPELINE') === '1' && !$isIsolated,
            streams: $read('LAMELLA_STREAMING') === '1',
            maxInvocations: $isIsolated ? 1 : (int) $read('LAMELLA_MAX_INVOCATIONS', $read('BREF_LOOP_MAX')),
            maxMemory: ini_parse_quantity($read('LAMELLA_MAX_MEMORY', '0')),
        );
    }

    /** Whether the project's code runs in this process. */
    public function runsHandler(): bool
    {
        return self::isInProcess($this->mode);
    }

    /** Whether code of the project runs in this process: the handler, or hooks of a Bref project around its scripts. */
    public function runsProject(): bool
    {
        return $this->runsHandler() || is_dir("{$this->taskRoot}/vendor/bref/bref");
    }

    /** Throws ConfigurationError. */
    public function check(): void
    {
        $known = ['mode' => ['function', 'worker', 'http', 'console'], 'binary' => ['auto', 'always', 'never']];
        foreach ($known as $name => $values) {
            if (!in_array($this->$name, $values, true)) {
                $variable = $name === 'mode' ? 'LAMELLA_MODE (or BREF_RUNTIME)' : 'LAMELLA_BINARY';
                $choice = implode(', ', $values);
                throw new ConfigurationError("Invalid {$variable} '{$this->$name}'. Use one of: {$choice}.");
            }
        }
        if ($this->remoteAddress !== '' && @inet_pton($this->remoteAddress) === false) {
            throw new ConfigurationError("Invalid LAMELLA_REMOTE_ADDR '{$this->remoteAddress}'. Use client or an IP address.");
        }
    }

    /** Sets a limit below the function's memory, so that PHP can report when it is reached. Keeps a limit of the project. */
    public function limitMemory(): void
    {
        if ($this->memoryMib > 2 * self::OUTSIDE_THE_HEAP_MIB && ini_get('memory_limit') === '-1') {
            ini_set('memory_limit', ($this->memoryMib - self::OUTSIDE_THE_HEAP_MIB) . 'M');
        }
    }

    private static function isInProcess(string $mode): bool
    {
        return $mode === 'function' || $mode === 'worker';
    }
}
