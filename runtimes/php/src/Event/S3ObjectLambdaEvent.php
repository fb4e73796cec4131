<?php

/** A request for an object through S3 Object Lambda. https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-event-context.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $xAmzRequestId
 * @property-read array{inputS3Url: string, outputRoute: string, outputToken: string}|null $getObjectContext
 * @property-read array{inputS3Url: string}|null $headObjectContext
 * @property-read array{inputS3Url: string}|null $listObjectsContext
 * @property-read array{inputS3Url: string}|null $listObjectsV2Context
 * @property-read array{accessPointArn: string, supportingAccessPointArn: string, payload: string} $configuration
 * @property-read array{url: string, headers: array<string, string>} $userRequest
 * @property-read array<string, mixed> $userIdentity
 * @property-read string $protocolVersion
 */
final class S3ObjectLambdaEvent extends Event
{
    protected static function fits(array $event): bool
    {
        return isset($event['userRequest'], $event['configuration']['accessPointArn']);
    }
}
