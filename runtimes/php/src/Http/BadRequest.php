<?php

/** A malformed request. The client gets status 400 with this message. */

declare(strict_types=1);

namespace Lamella\Http;

final class BadRequest extends \RuntimeException
{
    /** @param Request $request the rest of the request, which determines the format of the response */
    public function __construct(string $message, public readonly Request $request)
    {
        parent::__construct($message);
    }
}
