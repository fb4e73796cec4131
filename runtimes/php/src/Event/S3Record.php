<?php

/** A change of an object in S3. */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $eventVersion
 * @property-read string $eventSource
 * @property-read string $awsRegion
 * @property-read string $eventTime
 * @property-read string $eventName ObjectCreated:Put, ObjectRemoved:Delete ...
 * @property-read array{principalId: string} $userIdentity
 * @property-read array{sourceIPAddress: string} $requestParameters
 * @property-read array<string, string> $responseElements
 * @property-read array{s3SchemaVersion: string, configurationId: string, bucket: array<string, mixed>, object: array<string, mixed>} $s3
 * @property-read array<string, mixed>|null $glacierEventData
 * @property-read array<string, mixed>|null $restoreEventData
 * @property-read array<string, mixed>|null $replicationEventData
 * @property-read array<string, mixed>|null $lifecycleEventData
 * @property-read array<string, mixed>|null $intelligentTieringEventData
 */
final class S3Record extends EventValue
{
    public function bucket(): string
    {
        return (string) $this->get('s3.bucket.name');
    }

    /** The decoded key of the object. In the event it is encoded as in a form, with + for a space. */
    public function key(): string
    {
        return urldecode((string) $this->get('s3.object.key'));
    }

    /** Size in bytes; null for a deleted object. */
    public function size(): ?int
    {
        return $this->get('s3.object.size');
    }

    public function versionId(): ?string
    {
        return $this->get('s3.object.versionId');
    }
}
