<?php

/** The configured handler was not found. The message lists everything that was tried. */

declare(strict_types=1);

namespace Lamella;

final class HandlerNotFound extends \RuntimeException
{
    /** @param list<string> $attempts */
    public static function after(string $handler, array $attempts): self
    {
        $tried = implode('; ', $attempts);
        return new self($handler === ''
            ? 'The function has no handler. Set one, for example hello for the function hello in src/hello.php.'
            : "Handler '{$handler}' not found. Tried: {$tried}.");
    }
}
