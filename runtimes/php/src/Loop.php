<?php

/**
 * Handles one invocation after another until the environment ends. When a handler throws, the failure is reported and the
 * process continues. `ShutdownReporter` handles fatal errors and exit(). After a response the process may restart, because of
 * the number of invocations it has served or the memory it holds.
 */

declare(strict_types=1);

namespace Lamella;

final class Loop
{
    /** Lambda's maximum response size. */
    private const MAX_RESPONSE_BYTES = 6291556;

    public function __construct(
        private readonly RuntimeApi $api,
        private readonly Handler $handler,
        private readonly Settings $settings,
        private readonly ShutdownReporter $shutdownReporter,
        private readonly ?Deadline $deadline,
        private readonly ?RequestState $requestState,
    ) {
    }

    public function run(): never
    {
        $maxMemory = $this->settings->maxMemory;
        if ($maxMemory === 0) {
            $limit = ini_parse_quantity((string) ini_get('memory_limit'));
            $maxMemory = $limit > 0 ? intdiv($limit * 3, 4) : PHP_INT_MAX;
        }
        $this->shutdownReporter->ready();
        // In `http` mode php-cgi restarts, not this process.
        $maxInvocations = $this->settings->mode === 'http' ? 0 : $this->settings->maxInvocations;
        $pipelines = $this->settings->pipelines;
        $mustRestart = false;
        // A debugger may start to wait for Xdebug after PHP has started.
        $connects = function_exists('xdebug_connect_to_client');
        for ($served = 1; true; $served++) {
            $invocation = $this->api->next();
            $this->shutdownReporter->invocation = $invocation;
            // For loggers. Bref sets it too.
            $_SERVER['LAMBDA_REQUEST_ID'] = $invocation->requestId;
            $trace = $invocation->header('Lambda-Runtime-Trace-Id');
            $_ENV['_X_AMZN_TRACE_ID'] = $_SERVER['_X_AMZN_TRACE_ID'] = $trace;
            putenv("_X_AMZN_TRACE_ID={$trace}");
            if ($connects && !xdebug_is_debugger_active()) {
                xdebug_connect_to_client();
            }
            $this->deadline?->begin($invocation);
            $this->serve($invocation, $pipelines && !$mustRestart && $served !== $maxInvocations ? $maxMemory : 0);
            $this->shutdownReporter->invocation = null;
            $this->finish($invocation);
            $mustRestart = $served === $maxInvocations || memory_get_usage() > $maxMemory || !$this->reset($invocation);
            if ($mustRestart && !$this->api->expectsInvocation()) {
                $this->shutdownReporter->restart();
            }
        }
    }

    /** @param int $pipelinesBelow memory use in bytes below which the response and GET next are sent together */
    private function serve(Invocation $invocation, int $pipelinesBelow): void
    {
        try {
            $body = $this->handler->handle($invocation, $this->api);
            $this->deadline?->end();
        } catch (\Throwable $thrown) {
            $this->deadline?->end();
            $this->shutdownReporter->fail($invocation, Failure::of($thrown));
            return;
        }
        if ($body === null) {
            return;
        }
        if (strlen($body) > self::MAX_RESPONSE_BYTES) {
            $this->shutdownReporter->fail($invocation, Failure::responseTooLarge(strlen($body), self::MAX_RESPONSE_BYTES));
            return;
        }
        // After output that has reached PHP itself this process must restart before the next invocation.
        $asksForNext = memory_get_usage() < $pipelinesBelow && !headers_sent();
        $this->api->respond($invocation->requestId, $body, $asksForNext);
    }

    private function reset(Invocation $invocation): bool
    {
        try {
            return $this->requestState?->reset() ?? true;
        } catch (\Throwable $thrown) {
            // Storing the session runs code of the project.
            $this->shutdownReporter->logLateFailure($invocation, Failure::of($thrown));
            return false;
        }
    }

    /** Runs the actions that follow the response. Their failures cannot fail the invocation any more. */
    private function finish(Invocation $invocation): void
    {
        $afterResponse = $this->handler->afterResponse;
        $this->handler->afterResponse = [];
        foreach ($afterResponse as $action) {
            try {
                $action();
            } catch (\Throwable $thrown) {
                $this->shutdownReporter->logLateFailure($invocation, Failure::of($thrown));
            }
        }
    }
}
