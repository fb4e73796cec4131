<?php

/**
 * Which items of a batch failed, for event sources with `ReportBatchItemFailures` on: only these come again. Without
 * that setting Lambda takes any result for success of the whole batch, so switch it on where this is returned.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */

declare(strict_types=1);

namespace Lamella\Event;

final class BatchResult implements \JsonSerializable
{
    /** @var array<string, \Throwable|null> by the item's identifier */
    private array $failures = [];

    public function fail(string $itemIdentifier, ?\Throwable $reason = null): void
    {
        $this->failures[$itemIdentifier] = $reason;
        if ($reason !== null) {
            file_put_contents('php://stderr', "{$itemIdentifier} failed: {$reason}\n");
        }
    }

    /** @return array<string, \Throwable|null> */
    public function failures(): array
    {
        return $this->failures;
    }

    /** @return array{batchItemFailures: list<array{itemIdentifier: string}>} */
    public function jsonSerialize(): array
    {
        $items = array_map(static fn ($id): array => ['itemIdentifier' => (string) $id], array_keys($this->failures));
        return ['batchItemFailures' => $items];
    }
}
