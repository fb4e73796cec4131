<?php

/** No handler where the configuration says there is one; the message lists everything that was tried. */

declare(strict_types=1);

namespace Lamella;

final class HandlerNotFound extends \RuntimeException
{
    /** @param list<string> $attempts */
    public static function after(string $handler, array $attempts): self
    {
        $tried = implode('; ', $attempts);
        return new self($handler === ''
            ? 'The function has no handler: set one, for example hello for the function hello in src/hello.php.'
            : "There is no handler '{$handler}'. Tried: {$tried}.");
    }
}
