<?php

/** Compressed log events of a CloudWatch Logs subscription. https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchlogs.html */

declare(strict_types=1);

namespace Lamella\Event;

/** @property-read array{data: string} $awslogs */
final class CloudWatchLogsEvent extends Event
{
    private ?CloudWatchLogs $logs = null;

    /** The decompressed log events. Needs the extension zlib. */
    public function logs(): CloudWatchLogs
    {
        if ($this->logs === null) {
            $json = zlib_decode((string) base64_decode($this->awslogs['data'], true));
            $this->logs = new CloudWatchLogs(json_decode((string) $json, true, flags: JSON_THROW_ON_ERROR));
        }
        return $this->logs;
    }

    protected static function fits(array $event): bool
    {
        return isset($event['awslogs']['data']);
    }
}
