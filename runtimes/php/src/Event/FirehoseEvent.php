<?php

/** Records to transform for Firehose. https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $invocationId
 * @property-read string $deliveryStreamArn
 * @property-read string|null $sourceKinesisStreamArn
 * @property-read string $region
 * @property-read list<FirehoseRecord> $records
 */
final class FirehoseEvent extends Event
{
    protected const VALUES = ['records' => [FirehoseRecord::class]];

    /**
     * Transforms each record. Returns the response for Firehose. A record is dropped if the callable returns null, and failed
     * if it throws.
     *
     * @param callable(FirehoseRecord): (string|null) $transform
     * @return array{records: list<array<string, mixed>>}
     */
    public function transform(callable $transform): array
    {
        $records = [];
        foreach ($this->records as $record) {
            $result = ['recordId' => $record->recordId];
            try {
                $data = $transform($record);
                $result += ['result' => $data === null ? 'Dropped' : 'Ok', 'data' => base64_encode($data ?? '')];
            } catch (\Throwable $thrown) {
                file_put_contents('php://stderr', "{$record->recordId} failed: {$thrown}\n");
                $result += ['result' => 'ProcessingFailed', 'data' => $record->raw['data']];
            }
            $records[] = $result;
        }
        return ['records' => $records];
    }

    protected static function fits(array $event): bool
    {
        return isset($event['deliveryStreamArn'], $event['records']);
    }
}
