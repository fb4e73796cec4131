<?php

/** The web application did not respond before the deadline. */

declare(strict_types=1);

namespace Lamella\Http;

final class WorkerTimedOut extends \RuntimeException
{
}
