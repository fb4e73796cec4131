<?php

return function (array $event): array {
    if (!isset($event['name'])) {
        throw new InvalidArgumentException('The event has no name.');
    }
    echo "greeting {$event['name']}\n";
    return ['greeting' => "Hello, {$event['name']}!"];
};
