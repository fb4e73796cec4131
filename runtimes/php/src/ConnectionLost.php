<?php

/** The Runtime API cannot be reached. The runtime cannot continue without it. */

declare(strict_types=1);

namespace Lamella;

final class ConnectionLost extends \RuntimeException
{
}
