<?php

declare(strict_types=1);

function goodbye(array $event): string
{
    $name = $event['name'] ?? 'World';

    return "Goodbye, {$name}!";
}
