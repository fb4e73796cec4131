<?php

/** A request that no application should see: it is answered with status 400 and this message. */

declare(strict_types=1);

namespace Lamella\Http;

final class BadRequest extends \RuntimeException
{
    /** @param Request $request the rest of it, to know how to answer */
    public function __construct(string $message, public readonly Request $request)
    {
        parent::__construct($message);
    }
}
