<?php

/** php-cgi ended during a request. */

declare(strict_types=1);

namespace Lamella\Http;

final class WorkerGone extends \RuntimeException
{
}
