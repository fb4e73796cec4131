<?php

/**
 * The context of an invocation. A handler gets it by declaring a parameter of this type. It has the getters of Bref's
 * context, so that handlers written for Bref run unchanged.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next
 */

declare(strict_types=1);

namespace Lamella;

final readonly class Context
{
    /**
     * @param array<string, mixed>|null $clientContext the client context that a mobile application sends
     * @param array<string, mixed>|null $identity the Cognito identity of the caller
     */
    public function __construct(
        public string $requestId,
        public string $invokedFunctionArn,
        /** When Lambda ends the invocation, in milliseconds since 1970. */
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
        // These are the same for all invocations of the environment.
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

    /** Milliseconds until Lambda ends the invocation. Negative after that time. */
    public function getRemainingTimeInMillis(): int
    {
        return $this->deadlineMs - (int) (microtime(true) * 1000);
    }

    /** Bref's context class if the project has it, otherwise this object. */
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
