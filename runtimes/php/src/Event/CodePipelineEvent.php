<?php

/** A CodePipeline job. https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html */

declare(strict_types=1);

namespace Lamella\Event;

final class CodePipelineEvent extends Event
{
    /** @return array{id: string, accountId: string, data: array<string, mixed>} */
    public function job(): array
    {
        return $this->raw['CodePipeline.job'];
    }

    public function userParameters(): ?string
    {
        return $this->job()['data']['actionConfiguration']['configuration']['UserParameters'] ?? null;
    }

    protected static function fits(array $event): bool
    {
        return isset($event['CodePipeline.job']);
    }
}
