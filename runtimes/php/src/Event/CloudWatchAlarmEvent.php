<?php

/** A CloudWatch alarm that invokes the function directly. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $source aws.cloudwatch
 * @property-read string $alarmArn
 * @property-read string $accountId
 * @property-read string $time
 * @property-read string $region
 * @property-read array{alarmName: string, state: array<string, mixed>, previousState?: array<string, mixed>, configuration: array<string, mixed>} $alarmData
 */
final class CloudWatchAlarmEvent extends Event
{
    public function alarmName(): string
    {
        return (string) $this->get('alarmData.alarmName');
    }

    /** OK, ALARM or INSUFFICIENT_DATA. */
    public function state(): string
    {
        return (string) $this->get('alarmData.state.value');
    }

    public function previousState(): ?string
    {
        return $this->get('alarmData.previousState.value');
    }

    public function reason(): string
    {
        return (string) $this->get('alarmData.state.reason');
    }

    protected static function fits(array $event): bool
    {
        return isset($event['alarmArn'], $event['alarmData']);
    }
}
