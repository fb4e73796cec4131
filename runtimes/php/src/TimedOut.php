<?php

/** The invocation is about to time out. Thrown inside the handler, so that the trace shows where it was. */

declare(strict_types=1);

namespace Lamella;

final class TimedOut extends \RuntimeException
{
}
