<?php

/**
 * The project's own ini files (`php/conf.d/*.ini` in its package) and those of extension layers (`/opt/lamella/ini`).
 * PHP reads ini files only as it starts, so if there are any it starts once more, in the same process, told where
 * they are. Without any, which is the common case, this costs two looks at folders that are not there.
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
