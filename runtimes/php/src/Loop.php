<?php

/**
 * One invocation after another, until the environment ends. A handler that throws has its failure reported and the
 * process goes on; fatal errors and exit() are `LastWords`' business. After the last response it may start afresh, when
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
        private readonly LastWords $lastWords,
        private readonly Restart $restart,
    ) {
    }

    public function run(): never
    {
        $maxMemory = $this->settings->maxMemory;
        if ($maxMemory === 0) {
            $limit = ini_parse_quantity((string) ini_get('memory_limit'));
            $maxMemory = $limit > 0 ? intdiv($limit * 3, 4) : PHP_INT_MAX;
        }
        $this->lastWords->ready();
        $bufferLevel = ob_get_level();
        $traceId = '';
        for ($served = 1; true; $served++) {
            $invocation = $this->api->next();
            $this->lastWords->invocation = $invocation;
            $trace = $invocation->header('Lambda-Runtime-Trace-Id');
            if ($trace !== $traceId) {
                $traceId = $trace;
                $_ENV['_X_AMZN_TRACE_ID'] = $_SERVER['_X_AMZN_TRACE_ID'] = $trace;
                putenv("_X_AMZN_TRACE_ID={$trace}");
            }
            $this->serve($invocation);
            $this->lastWords->invocation = null;
            while (ob_get_level() > $bufferLevel) {
                ob_end_flush();
            }
            if ($served === $this->settings->maxInvocations || memory_get_usage() > $maxMemory) {
                $this->lastWords->silence();
                $this->api->close();
                $this->restart->now();
            }
        }
    }

    private function serve(Invocation $invocation): void
    {
        try {
            $body = $this->handler->handle($invocation, $this->api);
        } catch (\Throwable $thrown) {
            $this->lastWords->fail($invocation, Failure::of($thrown));
            return;
        }
        if ($body === null) {
            return;
        }
        if (strlen($body) > self::MAX_RESPONSE_BYTES) {
            $this->lastWords->fail($invocation, Failure::responseTooLarge(strlen($body), self::MAX_RESPONSE_BYTES));
            return;
        }
        $this->api->respond($invocation->requestId, $body);
    }
}
