<?php

/**
 * A failure in the form that the Runtime API takes: type, message, stack trace and cause. Created from a Throwable, a fatal
 * error or an exit.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
 */

declare(strict_types=1);

namespace Lamella;

final readonly class Failure
{
    /** @param list<string> $stackTrace the location of the error comes first */
    public function __construct(
        public string $errorType,
        public string $errorMessage,
        public array $stackTrace = [],
        public ?self $cause = null,
    ) {
    }

    public static function of(\Throwable $thrown, ?string $errorType = null): self
    {
        $trace = ["#0 {$thrown->getFile()}:{$thrown->getLine()}"];
        foreach (explode("\n", $thrown->getTraceAsString()) as $index => $line) {
            $trace[] = preg_replace('/^#\d+/', '#' . ($index + 1), $line);
        }
        $previous = $thrown->getPrevious();
        return new self(
            $errorType ?? $thrown::class,
            $thrown->getMessage(),
            $trace,
            $previous === null ? null : self::of($previous),
        );
    }

    /** @param array{type: int, message: string, file: string, line: int} $error from error_get_last() */
    public static function ofFatalError(array $error): self
    {
        // PHP 8.5 adds a trace to fatal errors. The message of an uncaught Throwable contains one too.
        $message = explode("\nStack trace:", $error['message'])[0];
        $type = str_contains($message, 'Allowed memory size') ? 'Lamella.OutOfMemory' : 'Lamella.FatalError';
        return new self($type, $message, ["#0 {$error['file']}:{$error['line']}"]);
    }

    public static function ofExit(): self
    {
        return new self('Lamella.HandlerExited', 'The handler ended the PHP process with exit() or die().');
    }

    public static function responseTooLarge(int $bytes, int $limit): self
    {
        return new self(
            'Function.ResponseSizeTooLarge',
            "Response payload size exceeded maximum allowed payload size ({$limit} bytes).",
            ["#0 the response has {$bytes} bytes"],
        );
    }

    public function toJson(): string
    {
        return json_encode($this->members(), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
            | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR);
    }

    /** @return array<string, mixed> */
    private function members(): array
    {
        $members = [
            'errorType' => $this->errorType,
            'errorMessage' => $this->errorMessage,
            'stackTrace' => $this->stackTrace,
        ];
        return $this->cause === null ? $members : $members + ['cause' => $this->cause->members()];
    }
}
