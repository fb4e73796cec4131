<?php

/** Records of Kafka topics, from Amazon MSK or self-managed. https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $eventSource aws:kafka or SelfManagedKafka
 * @property-read string|null $eventSourceArn
 * @property-read string $bootstrapServers joined by commas
 * @property-read array<string, list<array<string, mixed>>> $records by topic and partition: `mytopic-0`
 */
final class KafkaEvent extends Event
{
    /** The records of all partitions, in order within each partition. @return list<KafkaRecord> */
    public function all(): array
    {
        $all = [];
        foreach ($this->raw['records'] as $records) {
            foreach ($records as $record) {
                $all[] = new KafkaRecord($record);
            }
        }
        return $all;
    }

    protected static function fits(array $event): bool
    {
        return isset($event['records'])
            && in_array($event['eventSource'] ?? '', ['aws:kafka', 'SelfManagedKafka', 'aws:SelfManagedKafka'], true);
    }
}
