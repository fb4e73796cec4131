<?php

/**
 * Ensures that every invocation gets exactly one response, no matter how the handler ends. Failures are reported and logged.
 * If PHP itself ends during an invocation (fatal error, exit()), a shutdown function reports that over the connection, which
 * is still open, and restarts the process. Lambda itself notices what PHP cannot survive, such as a segmentation fault.
 */

declare(strict_types=1);

namespace Lamella;

final class ShutdownReporter
{
    private const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    /** The invocation that has no response yet. */
    public ?Invocation $invocation = null;
    private bool $isReady = false;
    private bool $isSilent = false;
    private bool $isRestarting = false;
    private readonly int $processId;
    /** Freed at shutdown, so that the report has memory when the limit was reached. */
    private ?string $reserve;

    public function __construct(
        private readonly RuntimeApi $api,
        private readonly Settings $settings,
        private readonly Restart $restart,
    ) {
        $this->processId = getmypid();
        $this->reserve = str_repeat("\0", 65536);
        // Nested, so that shutdown functions of the handler run before the process restarts.
        register_shutdown_function(fn () => register_shutdown_function($this->report(...)));
    }

    /** If a shutdown function of the handler calls exit(), later shutdown functions are skipped, but destructors run. */
    public function __destruct()
    {
        $this->report();
    }

    public function fail(Invocation $invocation, Failure $failure): void
    {
        $body = $failure->toJson();
        $this->api->fail($invocation->requestId, $failure->errorType, $body);
        $this->log($invocation->requestId, 'Invoke Error', $failure, $body);
    }

    /** Logs a failure that happened after the response was sent. */
    public function logLateFailure(Invocation $invocation, Failure $failure): void
    {
        $this->log($invocation->requestId, 'After Invoke Error', $failure, $failure->toJson());
    }

    /** Reports that initialization failed, and ends the process. */
    public function failInitialization(\Throwable $thrown): never
    {
        $type = match (true) {
            $thrown instanceof HandlerNotFound => 'Runtime.NoSuchHandler',
            $thrown instanceof ConfigurationError => 'Runtime.ConfigError',
            default => 'Runtime.ImportError',
        };
        $this->reportInitialization(Failure::of($thrown, $type === 'Runtime.ImportError' ? null : $type), $type);
        exit(1);
    }

    /** Call it when initialization is complete. From then on, an exit is not an initialization error. */
    public function ready(): void
    {
        $this->isReady = true;
    }

    /** Restarts PHP between two invocations, after the shutdown functions of the handler. */
    public function restart(): never
    {
        $this->isRestarting = true;
        exit(0);
    }

    /** Disables the report. Call it before ending the process on purpose. */
    public function silence(): void
    {
        $this->isSilent = true;
    }

    private function report(): void
    {
        // A child process that the handler forked has a copy of this object and must not respond.
        if ($this->isSilent || getmypid() !== $this->processId) {
            return;
        }
        $this->isSilent = true;
        if ($this->isRestarting) {
            $this->api->close();
            $this->restart->now();
        }
        $this->reserve = null;
        ini_set('memory_limit', '-1');
        $error = error_get_last();
        $isFatal = $error !== null && ($error['type'] & self::FATAL) !== 0;
        $failure = $isFatal ? Failure::ofFatalError($error) : Failure::ofExit();
        if (!$this->isReady) {
            $this->reportInitialization($failure, $isFatal ? 'Runtime.ImportError' : 'Runtime.ExitError');
            return;
        }
        if ($this->invocation !== null) {
            $this->fail($this->invocation, $failure);
        } elseif (!$this->api->expectsInvocation()) {
            // The process ended after the response was sent.
            $this->log('', 'After Invoke Error', $failure, $failure->toJson());
        }
        if (!$this->api->expectsInvocation()) {
            $this->api->close();
            $this->restart->now();
        }
    }

    private function reportInitialization(Failure $failure, string $errorType): void
    {
        $this->isSilent = true;
        $body = $failure->toJson();
        $this->api->failInitialization($errorType, $body);
        $this->log('', 'Init Error', $failure, $body);
    }

    private function log(string $requestId, string $what, Failure $failure, string $body): void
    {
        $line = $this->settings->logsJson
            ? json_encode([
                'timestamp' => gmdate('Y-m-d\TH:i:s.') . substr(sprintf('%.3F', fmod(microtime(true), 1)), 2) . 'Z',
                'level' => 'ERROR',
                'requestId' => $requestId,
                'message' => "{$what}: {$failure->errorMessage}",
            ] + (array) json_decode($body, true), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE)
            : ltrim("{$requestId}\t{$what}\t{$body}", "\t");
        // Opened here, because the handler may have closed STDERR.
        @file_put_contents('php://stderr', "{$line}\n");
    }
}
