<?php

/**
 * Maps the path of a request to the files of a web application, as a web server does: a script to run, a file to send, a
 * directory to redirect to, or the front controller for any other path. Hidden files, PHP sources, Composer's packages and
 * files outside the document root are never sent. If the handler lies in the root of the package, the front controller
 * handles every path, because sources, packages and settings would be public otherwise.
 */

declare(strict_types=1);

namespace Lamella\Http;

final readonly class DocumentRoot
{
    private const SCRIPTS = '/\.(php\d?|phtml|phps|phar|inc)$/i';
    /** Files for PHP or for people, not for browsers. */
    private const PRIVATE = '#(^|/)(\.(?!well-known/)|node_modules/|(composer|package)(-lock)?\.(json|lock)$|'
        . 'web\.config$)|\.(env|ini|sql|sqlite|sqlite3|db|log|bak|swp|ya?ml|lock|sh)$|~$#i';

    public string $directory;
    /** Path of the front controller relative to the document root, with a leading slash. */
    public string $frontController;
    private bool $servesFiles;

    /** @param string $configured '' for the directory of the front controller */
    public function __construct(string $frontController, string $taskRoot, string $configured)
    {
        $own = dirname($frontController);
        $this->directory = $configured !== '' ? $configured : $own;
        if (!str_starts_with($frontController, "{$this->directory}/")) {
            throw new \Lamella\ConfigurationError(
                "LAMELLA_DOCUMENT_ROOT is {$this->directory}, but the handler {$frontController} is outside of it.",
            );
        }
        $this->servesFiles = $configured !== '' || $own !== $taskRoot;
        $this->frontController = substr($frontController, strlen($this->directory));
    }

    /**
     * @param string $path the percent-encoded path of the request
     * @return array{'script', string, string}|array{'file', string}|array{'directory', string} script and path info; file;
     *     path with a trailing slash
     */
    public function resolve(string $path): array
    {
        $decoded = rawurldecode($path);
        $frontController = ['script', $this->frontController, ''];
        if (str_starts_with($decoded, "{$this->frontController}/")) {
            // /index.php/some/page
            return ['script', $this->frontController, substr($decoded, strlen($this->frontController))];
        }
        $isOutside = str_contains($decoded, "\0") || preg_match('~(^|/)\.\.?(/|$)~', $decoded) === 1;
        if (!$this->servesFiles || $isOutside || $this->isComposers($decoded)) {
            return $frontController;
        }
        $file = $this->directory . $decoded;
        if (is_dir($file)) {
            return match (true) {
                !is_file("{$file}/index.php") => $frontController,
                str_ends_with($decoded, '/') => ['script', "{$decoded}index.php", ''],
                default => ['directory', "{$path}/"],
            };
        }
        if (is_file($file)) {
            return match (true) {
                preg_match('/\.php$/i', $decoded) === 1 => ['script', $decoded, ''],
                preg_match(self::SCRIPTS, $decoded) === 1, preg_match(self::PRIVATE, ltrim($decoded, '/')) === 1 =>
                    $frontController,
                default => ['file', $file],
            };
        }
        // A script followed by path info.
        for ($at = 0; ($at = strpos($decoded, '.php/', $at)) !== false; $at += 5) {
            $script = substr($decoded, 0, $at + 4);
            if (is_file($this->directory . $script)) {
                return ['script', $script, substr($decoded, $at + 4)];
            }
        }
        return $frontController;
    }

    /** Whether Composer created the directory. WordPress and phpMyAdmin have files for browsers in others named vendor. */
    private function isComposers(string $path): bool
    {
        for ($at = 0; ($at = strpos($path, '/vendor/', $at)) !== false; $at += 7) {
            if (is_file($this->directory . substr($path, 0, $at) . '/vendor/autoload.php')) {
                return true;
            }
        }
        return false;
    }
}
