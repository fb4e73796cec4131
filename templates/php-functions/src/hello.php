<?php

declare(strict_types=1);

function hello(array $event): string
{
    $name = $event['name'] ?? $event['queryStringParameters']['name'] ?? 'World';

    return "Hello, {$name}!";
}
