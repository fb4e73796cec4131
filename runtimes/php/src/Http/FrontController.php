<?php

/**
 * Creates the application from the callable that a project's front controller returns. The callable is called once, with the
 * environment variables. If the project has Symfony's Runtime component, that resolves its parameters and reads `.env`.
 * https://symfony.com/doc/current/components/runtime.html
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\ConfigurationError;

final class FrontController
{
    private const RUNTIME = 'Symfony\\Component\\Runtime\\SymfonyRuntime';
    private const DOTENV_FILES = ['.env', '.env.dist', '.env.local.php'];

    /** Throws ConfigurationError if the callable has parameters that cannot be filled. */
    public static function application(callable $returned, string $taskRoot): mixed
    {
        if (!class_exists(self::RUNTIME)) {
            $function = new \ReflectionFunction($returned(...));
            $type = (string) ($function->getParameters()[0] ?? null)?->getType();
            if ($function->getNumberOfRequiredParameters() > 1 || preg_match('/^(|\??array|mixed|iterable)$/', $type) !== 1) {
                throw new ConfigurationError('LAMELLA_MODE is worker, but the handler is a function with other parameters than '
                    . 'the array of environment variables. It must be a kernel, or a function that returns one: '
                    . 'fn (array $environment) => new Kernel(...).');
            }
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
        try {
            [$make, $arguments] = $runtime->getResolver($returned)->resolve();
        } catch (\InvalidArgumentException $unresolved) {
            throw new ConfigurationError("LAMELLA_MODE is worker: {$unresolved->getMessage()}", 0, $unresolved);
        }
        return $make(...$arguments);
    }
}
