<?php

/**
 * Loads the project's ini files (`php/conf.d/*.ini` in its package) and those of extension layers (`/opt/lamella/ini`). PHP
 * reads ini files only when it starts, so it restarts with their paths if there are any. Otherwise this costs two checks for
 * a missing directory.
 */

declare(strict_types=1);

namespace Lamella;

final class UserIni
{
    public static function apply(Settings $settings, Restart $restart): void
    {
        if (getenv('PHP_INI_SCAN_DIR') !== false) {
            return;
        }
        $directories = array_filter(['/opt/lamella/ini', $settings->taskRoot . '/php/conf.d'], is_dir(...));
        if ($directories !== []) {
            $restart->now(['PHP_INI_SCAN_DIR' => implode(':', $directories)]);
        }
    }
}
