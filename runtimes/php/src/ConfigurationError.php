<?php

/** The function's settings contradict each other, or its layer lacks something that they require. */

declare(strict_types=1);

namespace Lamella;

final class ConfigurationError extends \RuntimeException
{
}
