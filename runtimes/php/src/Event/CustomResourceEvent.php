<?php

/**
 * A request of CloudFormation to create, update or delete a custom resource. CloudFormation waits up to an hour for a response
 * at `ResponseURL`. `handle` always sends one, even if the handler throws.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
 */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $RequestType Create, Update or Delete
 * @property-read string $ResponseURL
 * @property-read string $StackId
 * @property-read string $RequestId
 * @property-read string $ResourceType
 * @property-read string $LogicalResourceId
 * @property-read string|null $PhysicalResourceId
 * @property-read string|null $ServiceToken
 * @property-read array<string, mixed> $ResourceProperties
 * @property-read array<string, mixed>|null $OldResourceProperties
 */
final class CustomResourceEvent extends Event
{
    /**
     * Calls `$work` and reports its result to CloudFormation. `$work` returns the attributes for `Fn::GetAtt`. Its member
     * `PhysicalResourceId` sets the physical ID of the resource.
     *
     * @param callable(self): (array<string, mixed>|null) $work
     */
    public function handle(callable $work): void
    {
        try {
            $attributes = $work($this) ?? [];
            $id = $attributes['PhysicalResourceId'] ?? null;
            unset($attributes['PhysicalResourceId']);
            $this->succeed($attributes, $id);
        } catch (\Throwable $thrown) {
            file_put_contents('php://stderr', "{$this->LogicalResourceId} failed: {$thrown}\n");
            $this->fail($thrown->getMessage());
        }
    }

    /** @param array<string, mixed> $attributes */
    public function succeed(array $attributes = [], ?string $physicalResourceId = null, bool $noEcho = false): void
    {
        $this->respond(['Status' => 'SUCCESS', 'Data' => (object) $attributes, 'NoEcho' => $noEcho], $physicalResourceId);
    }

    public function fail(string $reason, ?string $physicalResourceId = null): void
    {
        $this->respond(['Status' => 'FAILED', 'Reason' => $reason === '' ? 'unknown' : $reason], $physicalResourceId);
    }

    /** @param array<string, mixed> $members */
    private function respond(array $members, ?string $physicalResourceId): void
    {
        $body = json_encode($members + [
            // A changed ID replaces the resource. Without a new one the resource keeps its ID.
            'PhysicalResourceId' => $physicalResourceId ?? $this->PhysicalResourceId ?? $this->LogicalResourceId,
            'StackId' => $this->StackId,
            'RequestId' => $this->RequestId,
            'LogicalResourceId' => $this->LogicalResourceId,
        ], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
        // The signature of the URL does not allow a content type.
        $options = ['method' => 'PUT', 'header' => "Content-Type:\r\n", 'content' => $body, 'ignore_errors' => true];
        $response = file_get_contents($this->ResponseURL, false, stream_context_create(['http' => $options]));
        $status = $http_response_header[0] ?? 'no response';
        if ($response === false || preg_match('/ 2\d\d/', $status) !== 1) {
            throw new \RuntimeException("CloudFormation refused the response: {$status}");
        }
    }

    protected static function fits(array $event): bool
    {
        return isset($event['RequestType'], $event['ResponseURL'], $event['StackId']);
    }
}
