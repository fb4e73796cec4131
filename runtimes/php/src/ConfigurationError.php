<?php

/** The function's settings contradict themselves, or its layer lacks what they ask for. */

declare(strict_types=1);

namespace Lamella;

final class ConfigurationError extends \RuntimeException
{
}
