<?php

/** Tasks of S3 Batch Operations. https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $invocationSchemaVersion
 * @property-read string $invocationId
 * @property-read array<string, mixed> $job
 * @property-read list<array{taskId: string, s3Key: string, s3VersionId?: string|null, s3BucketArn?: string, s3Bucket?: string}> $tasks
 */
final class S3BatchEvent extends Event
{
    /**
     * Calls `$work` with each task. Returns the response for S3, with the returned strings. S3 retries a task whose call throws.
     *
     * @param callable(array<string, mixed>): (string|null) $work
     * @return array<string, mixed>
     */
    public function each(callable $work): array
    {
        $results = [];
        foreach ($this->tasks as $task) {
            try {
                $result = ['resultCode' => 'Succeeded', 'resultString' => (string) $work($task)];
            } catch (\Throwable $thrown) {
                file_put_contents('php://stderr', "{$task['taskId']} failed: {$thrown}\n");
                $result = ['resultCode' => 'TemporaryFailure', 'resultString' => $thrown->getMessage()];
            }
            $results[] = ['taskId' => $task['taskId']] + $result;
        }
        return [
            'invocationSchemaVersion' => $this->invocationSchemaVersion,
            'treatMissingKeysAs' => 'PermanentFailure',
            'invocationId' => $this->invocationId,
            'results' => $results,
        ];
    }

    protected static function fits(array $event): bool
    {
        return isset($event['invocationSchemaVersion'], $event['tasks']);
    }
}
