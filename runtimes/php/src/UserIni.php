<?php

/**
 * The project's ini files (`php/conf.d/*.ini` in its package) and those of extension layers (`/opt/lamella/ini`). They are
 * meant for the project's code, and must not stop the runtime. Where that code runs in another process, only that process gets
 * them. Otherwise PHP, which reads ini files only when it starts, restarts with their paths; functions and directories that
 * the runtime needs stay available, whatever `disable_functions` and `open_basedir` say. Without ini files all this costs two
 * checks for a missing directory.
 */

declare(strict_types=1);

namespace Lamella;

final class UserIni
{
    private const SCAN_DIR = 'PHP_INI_SCAN_DIR';
    /** Command line options of the restarted PHP, for further restarts. */
    private const OPTIONS = '_LAMELLA_PHP_OPTIONS';

    public static function apply(Settings $settings, Restart $restart): void
    {
        $options = getenv(self::OPTIONS);
        if ($options !== false) {
            $restart->options = json_decode($options, true);
            return;
        }
        $isApplied = getenv(self::SCAN_DIR) !== false;
        $directories = $isApplied ? [] : self::directories($settings);
        if ($directories !== [] && !$settings->runsProject()) {
            // php-cgi and console commands inherit it.
            putenv(self::SCAN_DIR . '=' . implode(':', $directories));
            return;
        }
        $ini = $directories === []
            ? array_filter(['disable_functions' => ini_get('disable_functions'), 'open_basedir' => ini_get('open_basedir')])
            : self::read($directories);
        $options = self::options($ini);
        if ($directories === [] && $options === []) {
            return;
        }
        $more = $directories === [] ? [] : [self::SCAN_DIR => implode(':', $directories)];
        $restart->options = $options;
        $restart->now($more + [self::OPTIONS => json_encode($options)]);
    }

    /**
     * The settings of the project, for a process that PHP is started for with further settings.
     *
     * @return array<string, string>
     */
    public static function of(Settings $settings): array
    {
        return self::read(self::directories($settings));
    }

    /** @return list<string> */
    private static function directories(Settings $settings): array
    {
        return array_values(array_filter(['/opt/lamella/ini', $settings->taskRoot . '/php/conf.d'], is_dir(...)));
    }

    /**
     * @param list<string> $directories
     * @return array<string, string> like PHP, later files override earlier ones
     */
    private static function read(array $directories): array
    {
        $ini = [];
        foreach ($directories as $directory) {
            foreach (glob("{$directory}/*.ini") ?: [] as $file) {
                $ini = array_filter(@parse_ini_file($file) ?: [], is_string(...)) + $ini;
            }
        }
        return $ini;
    }

    /**
     * The options that keep the runtime working. They take precedence over ini files.
     *
     * @param array<string, string> $ini
     * @return list<string>
     */
    private static function options(array $ini): array
    {
        $options = [];
        $disabled = preg_split('/[\s,]+/', strtolower($ini['disable_functions'] ?? ''), -1, PREG_SPLIT_NO_EMPTY);
        $needed = $disabled === [] ? [] : array_intersect($disabled, RequiredFunctions::NAMES);
        if ($needed !== []) {
            array_push($options, '-d', 'disable_functions=' . implode(',', array_diff($disabled, $needed)));
            $names = implode(', ', $needed);
            $consequence = function_exists('pcntl_exec') ? 'They stay enabled' : 'Remove them';
            file_put_contents('php://stderr', "disable_functions contains functions that the runtime itself needs. "
                . "{$consequence}: {$names}\n");
        }
        if (($ini['open_basedir'] ?? '') !== '') {
            // Only the runtime's own files. Without /tmp a handler is not stopped before the timeout of the function.
            array_push($options, '-d', "open_basedir={$ini['open_basedir']}:" . __DIR__ . '/:/opt/bootstrap');
        }
        return $options;
    }
}
