<?php

/**
 * What AWS tells a handler about the invocation beside the event. A handler has it by declaring a parameter of this
 * type. The getters are those of Bref, so that its handlers run unchanged.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next
 */

declare(strict_types=1);

namespace Lamella;

final readonly class Context
{
    /**
     * @param array<string, mixed>|null $clientContext what a mobile client sent with the invocation
     * @param array<string, mixed>|null $identity the Cognito identity of the caller
     */
    public function __construct(
        public string $requestId,
        public string $invokedFunctionArn,
        /** Milliseconds since 1970 at which Lambda ends the invocation. */
        public int $deadlineMs,
        public string $traceId,
        public string $tenantId,
        public ?array $clientContext,
        public ?array $identity,
        public string $functionName,
        public string $functionVersion,
        public int $memoryLimitInMb,
        public string $logGroupName,
        public string $logStreamName,
    ) {
    }

    public static function of(Invocation $invocation): self
    {
        // Lambda sets these once, for all invocations.
        static $function = null;
        $function ??= [
            'functionName' => (string) getenv('AWS_LAMBDA_FUNCTION_NAME'),
            'functionVersion' => (string) getenv('AWS_LAMBDA_FUNCTION_VERSION'),
            'memoryLimitInMb' => (int) getenv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'),
            'logGroupName' => (string) getenv('AWS_LAMBDA_LOG_GROUP_NAME'),
            'logStreamName' => (string) getenv('AWS_LAMBDA_LOG_STREAM_NAME'),
        ];
        return new self(
            ...$function,
            requestId: $invocation->requestId,
            invokedFunctionArn: $invocation->header('Lambda-Runtime-Invoked-Function-Arn'),
            deadlineMs: (int) $invocation->header('Lambda-Runtime-Deadline-Ms'),
            traceId: $invocation->header('Lambda-Runtime-Trace-Id'),
            tenantId: $invocation->header('Lambda-Runtime-Aws-Tenant-Id'),
            clientContext: self::json($invocation->header('Lambda-Runtime-Client-Context')),
            identity: self::json($invocation->header('Lambda-Runtime-Cognito-Identity')),
        );
    }

    /** Milliseconds until Lambda ends the invocation; negative once it should have. */
    public function getRemainingTimeInMillis(): int
    {
        return $this->deadlineMs - (int) (microtime(true) * 1000);
    }

    /** In Bref's own class, where the project has it: for code that was written for that. */
    public function inProject(): object
    {
        return class_exists('Bref\\Context\\Context') ? $this->forBref() : $this;
    }

    public function forBref(): \Bref\Context\Context
    {
        return new \Bref\Context\Context($this->requestId, $this->deadlineMs, $this->invokedFunctionArn, $this->traceId);
    }

    public function getAwsRequestId(): string
    {
        return $this->requestId;
    }

    public function getInvokedFunctionArn(): string
    {
        return $this->invokedFunctionArn;
    }

    public function getTraceId(): string
    {
        return $this->traceId;
    }

    /** @return array<string, mixed>|null */
    private static function json(string $header): ?array
    {
        $value = $header === '' ? null : json_decode($header, true);
        return is_array($value) ? $value : null;
    }
}
