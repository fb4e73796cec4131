<?php

/** A session that is stored nowhere. Starting and destroying it is the only way to make PHP forget the session ID. */

declare(strict_types=1);

namespace Lamella;

final class DiscardedSession implements \SessionHandlerInterface
{
    public function open(string $path, string $name): bool
    {
        return true;
    }

    public function close(): bool
    {
        return true;
    }

    public function read(string $id): string
    {
        return '';
    }

    public function write(string $id, string $data): bool
    {
        return true;
    }

    public function destroy(string $id): bool
    {
        return true;
    }

    public function gc(int $max_lifetime): int
    {
        return 0;
    }
}
