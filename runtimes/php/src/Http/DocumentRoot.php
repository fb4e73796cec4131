<?php

/**
 * What a path of a request means in a folder of a web application, as a web server would have it: a script, a file to send
 * as it is, a folder to redirect to, or nothing, which is the front controller's. Hidden files, PHP sources, Composer's
 * packages and whatever lies outside the folder are never sent. Without a folder everything is the front controller's: that is so when the
 * handler lies at the root of the package, where sources, vendor and settings would else be open to all.
 */

declare(strict_types=1);

namespace Lamella\Http;

final readonly class DocumentRoot
{
    private const SCRIPTS = '/\.(php\d?|phtml|phps|phar|inc)$/i';
    /** Read by PHP or by people, never by browsers. */
    private const PRIVATE = '#(^|/)(\.(?!well-known/)|node_modules/|(composer|package)(-lock)?\.(json|lock)$|'
        . 'web\.config$)|\.(env|ini|sql|sqlite|sqlite3|db|log|bak|swp|ya?ml|lock|sh)$|~$#i';

    public string $directory;
    /** Of the front controller, below the folder, beginning with a slash. */
    public string $frontController;
    private bool $servesFiles;

    /** @param string $configured '' for the front controller's own folder */
    public function __construct(string $frontController, string $taskRoot, string $configured)
    {
        $own = dirname($frontController);
        $this->directory = $configured !== '' ? $configured : $own;
        if (!str_starts_with($frontController, "{$this->directory}/")) {
            throw new \Lamella\ConfigurationError(
                "LAMELLA_DOCUMENT_ROOT is {$this->directory}, but the handler {$frontController} does not lie in it.",
            );
        }
        $this->servesFiles = $configured !== '' || $own !== $taskRoot;
        $this->frontController = substr($frontController, strlen($this->directory));
    }

    /**
     * @param string $path of the request, encoded
     * @return array{'script', string, string}|array{'file', string}|array{'directory', string} script and what follows its
     *     name in the path; file; path with a slash at the end
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
        // A script with more of a path behind it.
        for ($at = 0; ($at = strpos($decoded, '.php/', $at)) !== false; $at += 5) {
            $script = substr($decoded, 0, $at + 4);
            if (is_file($this->directory . $script)) {
                return ['script', $script, substr($decoded, $at + 4)];
            }
        }
        return $frontController;
    }

    /** Whether Composer has put it there. Other folders of that name hold what browsers need: WordPress's, phpMyAdmin's. */
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
