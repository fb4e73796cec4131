<?php

/**
 * A PSR-3 logger for Lambda. It uses the function's log format (`AWS_LAMBDA_LOG_FORMAT`) and level (`AWS_LAMBDA_LOG_LEVEL`) and
 * adds the request ID to each line. Needs psr/log in any version.
 * https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
 */

declare(strict_types=1);

namespace Lamella\Log;

use Psr\Log\InvalidArgumentException;
use Psr\Log\LoggerInterface;

final class Logger implements LoggerInterface
{
    /** Lambda's name and rank for each PSR-3 level. */
    private const LEVELS = [
        'debug' => ['DEBUG', 1],
        'info' => ['INFO', 2],
        'notice' => ['INFO', 2],
        'warning' => ['WARN', 3],
        'error' => ['ERROR', 4],
        'critical' => ['FATAL', 5],
        'alert' => ['FATAL', 5],
        'emergency' => ['FATAL', 5],
    ];
    private const RANKS = ['TRACE' => 0, 'DEBUG' => 1, 'INFO' => 2, 'WARN' => 3, 'ERROR' => 4, 'FATAL' => 5];
    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE
        | JSON_PARTIAL_OUTPUT_ON_ERROR;

    private readonly bool $writesJson;
    private readonly int $leastRank;

    /**
     * Format and level default to the function's settings.
     *
     * @param ?string $format Text or JSON
     * @param ?string $level TRACE, DEBUG, INFO, WARN, ERROR or FATAL
     * @param string $output stream to write to
     */
    public function __construct(
        ?string $format = null,
        ?string $level = null,
        private readonly string $output = 'php://stderr',
    ) {
        $this->writesJson = strtoupper($format ?? (string) getenv('AWS_LAMBDA_LOG_FORMAT')) === 'JSON';
        $level = strtoupper($level ?? (string) getenv('AWS_LAMBDA_LOG_LEVEL'));
        $this->leastRank = self::RANKS[$level] ?? ($this->writesJson ? self::RANKS['INFO'] : 0);
    }

    /**
     * @param mixed $level
     * @param string|\Stringable $message
     * @param array<array-key, mixed> $context
     */
    public function log($level, $message, array $context = []): void
    {
        [$name, $rank] = self::LEVELS[is_string($level) ? $level : ''] ?? throw new InvalidArgumentException(
            'Unknown log level "' . (is_scalar($level) ? $level : get_debug_type($level)) . '". Use a level of PSR-3.',
        );
        if ($rank < $this->leastRank) {
            return;
        }
        $now = \DateTimeImmutable::createFromFormat('U.u', sprintf('%.6F', microtime(true)));
        $timestamp = substr($now->format('Y-m-d\TH:i:s.u'), 0, -3) . 'Z';
        $requestId = (string) ($_SERVER['LAMBDA_REQUEST_ID'] ?? '');
        $text = self::interpolate((string) $message, $context);
        $line = $this->writesJson
            ? json_encode([
                'timestamp' => $timestamp,
                'level' => $name,
                'requestId' => $requestId,
                'message' => $text,
            ] + array_map(self::plain(...), $context), self::JSON)
            : "{$timestamp}\t{$requestId}\t{$name}\t{$text}" . self::trace($context);
        // One write per line, so that other processes do not write in between.
        file_put_contents($this->output, "{$line}\n");
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function emergency($message, array $context = []): void
    {
        $this->log('emergency', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function alert($message, array $context = []): void
    {
        $this->log('alert', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function critical($message, array $context = []): void
    {
        $this->log('critical', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function error($message, array $context = []): void
    {
        $this->log('error', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function warning($message, array $context = []): void
    {
        $this->log('warning', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function notice($message, array $context = []): void
    {
        $this->log('notice', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function info($message, array $context = []): void
    {
        $this->log('info', $message, $context);
    }

    /** @param string|\Stringable $message @param array<array-key, mixed> $context */
    public function debug($message, array $context = []): void
    {
        $this->log('debug', $message, $context);
    }

    /** @param array<array-key, mixed> $context */
    private static function interpolate(string $message, array $context): string
    {
        if (!str_contains($message, '{')) {
            return $message;
        }
        $replacements = [];
        foreach ($context as $name => $value) {
            if (is_scalar($value) || $value === null || $value instanceof \Stringable) {
                $replacements["{{$name}}"] = is_bool($value) ? json_encode($value) : (string) $value;
            }
        }
        return strtr($message, $replacements);
    }

    private static function plain(mixed $value): mixed
    {
        return $value instanceof \Throwable ? [
            'type' => $value::class,
            'message' => $value->getMessage(),
            'location' => "{$value->getFile()}:{$value->getLine()}",
            'stackTrace' => explode("\n", $value->getTraceAsString()),
            'previous' => self::plain($value->getPrevious()),
        ] : $value;
    }

    /** @param array<array-key, mixed> $context */
    private static function trace(array $context): string
    {
        $exception = $context['exception'] ?? null;
        return $exception instanceof \Throwable ? "\n{$exception}" : '';
    }
}
