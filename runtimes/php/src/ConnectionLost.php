<?php

/** The Runtime API is gone. Without it there is nothing to do and nobody to tell. */

declare(strict_types=1);

namespace Lamella;

final class ConnectionLost extends \RuntimeException
{
}
