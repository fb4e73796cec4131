<?php

/** A request to evaluate a rule of AWS Config. https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $invokingEvent JSON
 * @property-read string $ruleParameters JSON
 * @property-read string $resultToken
 * @property-read bool $eventLeftScope
 * @property-read string $executionRoleArn
 * @property-read string $configRuleArn
 * @property-read string $configRuleName
 * @property-read string $configRuleId
 * @property-read string $accountId
 * @property-read string $version
 */
final class ConfigEvent extends Event
{
    /** @return array<string, mixed> */
    public function invoking(): array
    {
        return json_decode($this->invokingEvent, true, flags: JSON_THROW_ON_ERROR);
    }

    /** @return array<string, mixed> */
    public function parameters(): array
    {
        return json_decode($this->ruleParameters ?: '{}', true, flags: JSON_THROW_ON_ERROR);
    }

    protected static function fits(array $event): bool
    {
        return isset($event['invokingEvent'], $event['resultToken']);
    }
}
