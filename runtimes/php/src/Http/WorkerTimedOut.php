<?php

/** The web application did not answer before the invocation's time was over. */

declare(strict_types=1);

namespace Lamella\Http;

final class WorkerTimedOut extends \RuntimeException
{
}
