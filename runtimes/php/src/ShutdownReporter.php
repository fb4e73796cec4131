<?php

/**
 * Sees to it that every invocation has exactly one answer, however the handler ends: failures are reported and logged,
 * and when PHP itself ends in the middle of an invocation (a fatal error, exit()) that is told over the connection that is
 * still open; then the process begins again. What PHP cannot outlive, such as a segmentation fault, Lambda sees itself.
 */

declare(strict_types=1);

namespace Lamella;

final class ShutdownReporter
{
    private const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    /** The invocation that has no answer yet. */
    public ?Invocation $invocation = null;
    private bool $isReady = false;
    private bool $isSilent = false;
    private readonly int $processId;
    /** Given up at the end, so that there is memory to speak with when it ran out. */
    private ?string $reserve;

    public function __construct(
        private readonly RuntimeApi $api,
        private readonly Settings $settings,
        private readonly Restart $restart,
    ) {
        $this->processId = getmypid();
        $this->reserve = str_repeat("\0", 65536);
        // Twice: what the handler itself registered runs before the process begins again.
        register_shutdown_function(fn () => register_shutdown_function($this->report(...)));
    }

    /** Where a shutdown function of the handler's calls exit(), those after it are not called, but destructors are. */
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

    /** Logs a failure that comes too late to be reported. */
    public function note(Invocation $invocation, Failure $failure): void
    {
        $this->log($invocation->requestId, 'After Invoke Error', $failure, $failure->toJson());
    }

    /** Reports that the runtime cannot become ready, and ends the process. */
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

    /** From here on, the end of the process is no longer a failure to start. */
    public function ready(): void
    {
        $this->isReady = true;
    }

    /** Nothing is to be told any more: the process ends on purpose. */
    public function silence(): void
    {
        $this->isSilent = true;
    }

    private function report(): void
    {
        // A child that the handler forked shares the connection and this object, but has nothing to answer.
        if ($this->isSilent || getmypid() !== $this->processId) {
            return;
        }
        $this->isSilent = true;
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
            // The end came when the response was already sent.
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
        // Opened anew: the handler may have closed STDERR.
        @file_put_contents('php://stderr', "{$line}\n");
    }
}
