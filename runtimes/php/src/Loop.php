<?php

/**
 * One invocation after another, until the environment ends. A handler that throws has its failure reported and the
 * process goes on; fatal errors and exit() are `ShutdownReporter`' business. After the last response it may start afresh, when
 * it has served enough invocations or holds too much memory.
 */

declare(strict_types=1);

namespace Lamella;

final class Loop
{
    /** The most that Lambda takes as a response. */
    private const MAX_RESPONSE_BYTES = 6291556;

    public function __construct(
        private readonly RuntimeApi $api,
        private readonly Handler $handler,
        private readonly Settings $settings,
        private readonly ShutdownReporter $shutdownReporter,
        private readonly Restart $restart,
        private readonly ?Deadline $deadline,
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
        $bufferLevel = ob_get_level();
        // In `http` mode it is the scripts' process that starts afresh.
        $maxInvocations = $this->settings->mode === 'http' ? 0 : $this->settings->maxInvocations;
        $pipelines = $this->settings->pipelines;
        $traceId = '';
        for ($served = 1; true; $served++) {
            $invocation = $this->api->next();
            $this->shutdownReporter->invocation = $invocation;
            // For loggers, and for those who know it from Bref.
            $_SERVER['LAMBDA_REQUEST_ID'] = $invocation->requestId;
            $trace = $invocation->header('Lambda-Runtime-Trace-Id');
            if ($trace !== $traceId) {
                $traceId = $trace;
                $_ENV['_X_AMZN_TRACE_ID'] = $_SERVER['_X_AMZN_TRACE_ID'] = $trace;
                putenv("_X_AMZN_TRACE_ID={$trace}");
            }
            $this->deadline?->begin($invocation);
            $this->serve($invocation, $pipelines && $served !== $maxInvocations ? $maxMemory : 0);
            $this->shutdownReporter->invocation = null;
            $this->finish($invocation);
            while (ob_get_level() > $bufferLevel) {
                ob_end_flush();
            }
            if (
                ($served === $maxInvocations || memory_get_usage() > $maxMemory)
                && !$this->api->expectsInvocation()
            ) {
                $this->shutdownReporter->silence();
                $this->api->close();
                $this->restart->now();
            }
        }
    }

    /** @param int $pipelinesBelow bytes of memory up to which the next invocation is asked for along with the response */
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
        $this->api->respond($invocation->requestId, $body, memory_get_usage() < $pipelinesBelow);
    }

    /** What is left to do when the caller has its answer, cannot fail the invocation any more. */
    private function finish(Invocation $invocation): void
    {
        $afterResponse = $this->handler->afterResponse;
        $this->handler->afterResponse = [];
        foreach ($afterResponse as $action) {
            try {
                $action();
            } catch (\Throwable $thrown) {
                $this->shutdownReporter->note($invocation, Failure::of($thrown));
            }
        }
    }
}
