<?php

/** The time of the invocation is nearly over. Thrown into the handler, so that its trace says where the time went. */

declare(strict_types=1);

namespace Lamella;

final class TimedOut extends \RuntimeException
{
}
