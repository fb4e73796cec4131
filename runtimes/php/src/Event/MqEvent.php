<?php

/**
 * Messages of Amazon MQ, from ActiveMQ (`messages`) or RabbitMQ (`rmqMessagesByQueue`).
 * https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
 */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $eventSource aws:mq or aws:amq (ActiveMQ), aws:rmq (RabbitMQ)
 * @property-read string $eventSourceArn
 * @property-read list<array<string, mixed>>|null $messages
 * @property-read array<string, list<array<string, mixed>>>|null $rmqMessagesByQueue
 */
final class MqEvent extends Event
{
    /** The messages of all queues. @return list<MqMessage> */
    public function all(): array
    {
        $lists = $this->raw['rmqMessagesByQueue'] ?? [$this->raw['messages'] ?? []];
        return array_map(static fn (array $message) => new MqMessage($message), array_merge(...array_values($lists)));
    }

    protected static function fits(array $event): bool
    {
        return in_array($event['eventSource'] ?? '', ['aws:mq', 'aws:amq', 'aws:rmq'], true);
    }
}
