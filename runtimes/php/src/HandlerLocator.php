<?php

/**
 * From the function's `Handler` setting to something to call. The first that fits wins:
 *
 *  1. `path/file.php`   a file of the package: the callable or object that it returns, or its function of the same name
 *  2. `Class::method`, `Class`   through the project's autoloader; static, or on a new instance; `__invoke` or `handle`
 *  3. `file.function`   a function in `file.php` or `src/file.php`
 *  4. `name`            the function of that name in `src/name.php`, `name.php` or `index.php`; with dots, the last part
 *
 * Only under the fourth a string result is the response body as it is: that is how the published walkthrough does it.
 */

declare(strict_types=1);

namespace Lamella;

final class HandlerLocator
{
    /** @var list<string> */
    private array $attempts = [];

    public function __construct(private readonly Settings $settings)
    {
    }

    /** Throws HandlerNotFound, or whatever loading the project's code throws. */
    public function locate(): Handler
    {
        $this->loadAutoloader();
        $name = $this->settings->handler;
        if ($name !== '') {
            $callable = $this->fromFile($name) ?? $this->fromClass($name) ?? $this->fromFileAndFunction($name);
            if ($callable !== null) {
                return new Handler($callable, $this->settings->rawStrings, $this->settings->streams);
            }
            $callable = $this->fromFunctionName($name);
            if ($callable !== null) {
                return new Handler($callable, true, $this->settings->streams);
            }
        }
        throw HandlerNotFound::after($name, $this->attempts);
    }

    private function loadAutoloader(): void
    {
        $configured = [getenv('LAMELLA_AUTOLOAD'), getenv('BREF_AUTOLOAD_PATH')];
        $usual = [$this->settings->taskRoot . '/vendor/autoload.php', '/opt/vendor/autoload.php'];
        foreach ([...array_filter($configured), ...$usual] as $file) {
            if (is_file($file)) {
                require_once $file;
                return;
            }
        }
    }

    private function fromFile(string $name): ?callable
    {
        if (!str_ends_with($name, '.php')) {
            return null;
        }
        $file = $this->inPackage($name);
        return $file === null ? null : $this->callableIn($file, basename($name, '.php'));
    }

    private function fromClass(string $name): ?callable
    {
        [$class, $method] = explode('::', $name, 2) + [1 => null];
        if (preg_match('/^\\\\?[A-Za-z_\x80-\xff][\w\x80-\xff]*(\\\\[A-Za-z_\x80-\xff][\w\x80-\xff]*)*$/', $class) !== 1) {
            return null;
        }
        if (!class_exists($class)) {
            $this->attempts[] = "class {$class}: no autoloader knows it";
            return null;
        }
        if ($method === null) {
            return $this->fromObject(new $class());
        }
        if (!method_exists($class, $method)) {
            $this->attempts[] = "class {$class}: it has no method {$method}";
            return null;
        }
        return (new \ReflectionMethod($class, $method))->isStatic() ? [$class, $method] : [new $class(), $method];
    }

    private function fromFileAndFunction(string $name): ?callable
    {
        $dot = strrpos($name, '.');
        if ($dot === false || $dot === 0) {
            return null;
        }
        $base = substr($name, 0, $dot);
        foreach (["{$base}.php", "src/{$base}.php"] as $path) {
            $file = $this->inPackage($path);
            $callable = $file === null ? null : $this->callableIn($file, substr($name, $dot + 1));
            if ($callable !== null) {
                return $callable;
            }
        }
        return null;
    }

    private function fromFunctionName(string $name): ?callable
    {
        $function = substr((string) strrchr(".{$name}", '.'), 1);
        foreach (["src/{$function}.php", "{$function}.php", 'index.php'] as $path) {
            $file = $this->inPackage($path);
            $callable = $file === null ? null : $this->callableIn($file, $function);
            if ($callable !== null) {
                return $callable;
            }
        }
        return null;
    }

    private function inPackage(string $path): ?string
    {
        $file = "{$this->settings->taskRoot}/{$path}";
        if (is_file($file)) {
            return $file;
        }
        $this->attempts[] = "{$file}: no such file";
        return null;
    }

    /** Loads the file; takes what it returns, or its function of that name, in whatever namespace it is declared. */
    private function callableIn(string $file, string $function): ?callable
    {
        $before = get_defined_functions()['user'];
        $returned = require_once $file;
        if (is_callable($returned)) {
            return $returned;
        }
        if (is_object($returned)) {
            return $this->fromObject($returned);
        }
        if (function_exists($function)) {
            return $function;
        }
        $suffix = '\\' . strtolower($function);
        foreach (array_diff(get_defined_functions()['user'], $before) as $declared) {
            if (str_ends_with($declared, $suffix)) {
                return $declared;
            }
        }
        $this->attempts[] = "{$file}: it returns nothing callable and has no function {$function}";
        return null;
    }

    private function fromObject(object $object): ?callable
    {
        if (is_callable($object)) {
            return $object;
        }
        if (method_exists($object, 'handle')) {
            return [$object, 'handle'];
        }
        $this->attempts[] = 'class ' . $object::class . ': it has neither __invoke nor handle';
        return null;
    }
}
