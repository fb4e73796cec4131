<?php

/**
 * Creates the application from the callable that a project's front controller returns. The callable is called once, with the
 * environment variables. If the project has Symfony's Runtime component, that resolves its parameters and reads `.env`.
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
            // This runtime reports failures.
            'error_handler' => false,
        ]);
        [$make, $arguments] = $runtime->getResolver($returned)->resolve();
        return $make(...$arguments);
    }
}
