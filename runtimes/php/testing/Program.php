<?php

/**
 * The program `lamella`: that of the variable LAMELLA_PROGRAM, of `vendor/bin` or `node_modules/.bin` of the project, or of
 * the PATH.
 */

declare(strict_types=1);

namespace Lamella\Testing;

final class Program
{
    private const START_SECONDS = 60;

    /** Runs a command to its end. */
    public static function run(string ...$arguments): void
    {
        $process = proc_open([self::path(), ...$arguments], [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes);
        $output = (string) stream_get_contents($pipes[1]);
        if (proc_close($process) !== 0) {
            throw new ServiceError('ProgramFailed', 'lamella ' . implode(' ', $arguments) . " failed:\n{$output}");
        }
    }

    /** Starts a service, which is stopped when this process ends. Returns its URL. */
    public static function startService(): string
    {
        $directory = self::temporaryDirectory();
        $ready = "{$directory}/ready.json";
        $command = [self::path(), 'start', '--ephemeral', '--quiet', '--port', '0', '--http-port', '0', '--ready-file', $ready];
        $streams = [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', "{$directory}/errors", 'w']];
        $process = proc_open($command, $streams, $pipes);
        register_shutdown_function(static function () use ($process): void {
            proc_terminate($process);
            proc_close($process);
        });
        for ($end = microtime(true) + self::START_SECONDS; microtime(true) < $end; usleep(10_000)) {
            $urls = is_file($ready) ? json_decode((string) file_get_contents($ready), true) : null;
            if (is_array($urls)) {
                return $urls['lambda'];
            }
            if (!proc_get_status($process)['running']) {
                break;
            }
        }
        throw new ServiceError('ServiceNotStarted', trim((string) file_get_contents("{$directory}/errors")));
    }

    /** A new directory, which is removed when this process ends. */
    public static function temporaryDirectory(): string
    {
        $directory = sys_get_temp_dir() . '/lamella-testing-' . bin2hex(random_bytes(8));
        mkdir($directory, 0700);
        register_shutdown_function(static function () use ($directory): void {
            $files = new \RecursiveIteratorIterator(
                new \RecursiveDirectoryIterator($directory, \FilesystemIterator::SKIP_DOTS),
                \RecursiveIteratorIterator::CHILD_FIRST,
            );
            foreach ($files as $file) {
                $file->isDir() && !$file->isLink() ? rmdir((string) $file) : unlink((string) $file);
            }
            rmdir($directory);
        });
        return $directory;
    }

    private static function path(): string
    {
        $given = getenv('LAMELLA_PROGRAM');
        $path = array_map(static fn (string $directory): string => "{$directory}/lamella", explode(':', (string) getenv('PATH')));
        $candidates = $given !== false && $given !== '' ? [$given] : ['vendor/bin/lamella', 'node_modules/.bin/lamella', ...$path];
        foreach ($candidates as $candidate) {
            if (is_executable($candidate)) {
                return $candidate;
            }
        }
        throw new ServiceError(
            'ProgramNotFound',
            'lamella is not in ' . implode(', ', $candidates) . '. Install it (npm install lamella), or set LAMELLA_PROGRAM.',
        );
    }
}
