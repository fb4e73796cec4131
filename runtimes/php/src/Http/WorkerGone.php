<?php

/** The process that runs the web application ended in the middle of a request. */

declare(strict_types=1);

namespace Lamella\Http;

final class WorkerGone extends \RuntimeException
{
}
