<?php

/**
 * What the front controller of a project returns, made into the application: called once, with the environment. Where the
 * project has Symfony's Runtime component, that calls it, for it fills in parameters and reads `.env`.
 * https://symfony.com/doc/current/components/runtime.html
 */

declare(strict_types=1);

namespace Lamella\Http;

final class FrontController
{
    private const RUNTIME = 'Symfony\\Component\\Runtime\\SymfonyRuntime';
    private const DOTENV_FILES = ['.env', '.env.dist', '.env.local.php'];

    public static function application(callable $returned, string $taskRoot): mixed
    {
        if (!class_exists(self::RUNTIME)) {
            return $returned($_SERVER + $_ENV);
        }
        $hasDotenv = array_filter(self::DOTENV_FILES, static fn (string $file) => is_file("{$taskRoot}/{$file}")) !== []
            && class_exists('Symfony\\Component\\Dotenv\\Dotenv');
        $runtime = new (self::RUNTIME)([
            'project_dir' => $taskRoot,
            'disable_dotenv' => !$hasDotenv,
            // Failures are reported by this runtime.
            'error_handler' => false,
        ]);
        [$make, $arguments] = $runtime->getResolver($returned)->resolve();
        return $make(...$arguments);
    }
}
