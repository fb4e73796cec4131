<?php

/** Answers every gateway alike. */
function hello(array $event): array
{
    return ['statusCode' => 200, 'headers' => ['content-type' => 'text/plain'], 'body' => 'Hello, World!'];
}
