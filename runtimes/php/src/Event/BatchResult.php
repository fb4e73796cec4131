<?php

/**
 * The failed items of a batch. If the event source mapping has `ReportBatchItemFailures`, Lambda delivers only these again.
 * Without that setting Lambda treats any result as success of the whole batch, so enable it when you return this.
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
