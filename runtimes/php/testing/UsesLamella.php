<?php

/**
 * For PHPUnit: `$this->lamella()` is a Lamella service that is started with the first test that uses it and stopped at the
 * end of the process. Before each test, everything that the test before has created is removed.
 */

declare(strict_types=1);

namespace Lamella\Testing;

trait UsesLamella
{
    private bool $isLamellaReset = false;

    /** The service of this process, empty at the beginning of each test but for layers. */
    protected function lamella(): Service
    {
        $service = Service::ofProcess();
        if (!$this->isLamellaReset) {
            $this->isLamellaReset = true;
            $service->reset();
        }
        return $service;
    }
}
