<?php

/**
 * Resolves the function's `Handler` setting to a callable. The first match wins:
 *
 *  1. `path/file.php`   a file of the package: the callable or object that it returns, or its function of the same name
 *  2. any name          an entry of the project's container
 *  3. `Class::method`, `Class`   found by the project's autoloader; static, or on a new instance; `__invoke` or `handle`
 *  4. `file.function`   a function in `file.php` or `src/file.php`
 *  5. `name`            the function of that name in `src/name.php`, `name.php` or `index.php`; with dots, the last part
 *
 * Only rule 5 sends a string result unchanged, because handlers of the published walkthrough rely on that.
 */

declare(strict_types=1);

namespace Lamella;

final class HandlerLocator
{
    /** @var list<string> */
    private array $attempts = [];
    /** The object that was found without being a kernel or callable, if it has a method `handle`. */
    private ?object $handling = null;
    private ?object $container = null;
    /** The callable around the kernel, if a kernel was found. */
    private ?\Closure $kernel = null;

    public function __construct(private readonly Settings $settings, private readonly Restart $restart)
    {
    }

    /** Throws HandlerNotFound, ConfigurationError, and anything that loading the project's code throws. */
    public function locate(): Handler
    {
        $this->settings->check();
        if ($this->settings->handler === '') {
            throw HandlerNotFound::after('', []);
        }
        $runsScripts = $this->settings->mode === 'http' || $this->settings->mode === 'console';
        // Scripts load the project themselves. A Bref project may have hooks that must run before.
        if ($this->settings->runsProject()) {
            $this->loadAutoloader();
            $bref = BrefProject::start();
        }
        $handler = $runsScripts
            ? new Handler($this->script($this->settings->handler), $this->settings)
            : $this->function($this->settings->handler);
        if (isset($bref)) {
            $bref->finishStart();
            $handler->bref = $bref;
        }
        return $handler;
    }

    private function function(string $name): Handler
    {
        $callable = $this->fromFile($name) ?? $this->fromContainer($name) ?? $this->fromClass($name)
            ?? $this->fromFileAndFunction($name);
        if ($callable !== null) {
            return new Handler($this->inMode($callable), $this->settings, $this->settings->rawStrings);
        }
        $callable = $this->fromFunctionName($name);
        if ($callable !== null) {
            return new Handler($this->inMode($callable), $this->settings, true);
        }
        throw HandlerNotFound::after($name, $this->attempts);
    }

    /** A script that another process runs for each event. It is not loaded here. */
    private function script(string $name): callable
    {
        $file = $this->inPackage($name) ?? $this->inPackage("{$name}.php");
        if ($file === null) {
            throw HandlerNotFound::after($name, $this->attempts);
        }
        if ($this->settings->mode === 'console') {
            return new Console($file);
        }
        $application = Http\FastCgiApplication::start($file, $this->settings);
        $this->restart->beforeRestart[] = $application->stop(...);
        return $application;
    }

    /** In `worker` mode the handler must be a kernel, or return one, as the front controller of a Symfony project does. */
    private function inMode(callable $callable): callable
    {
        if ($this->settings->mode !== 'worker' || $callable === $this->kernel) {
            return $callable;
        }
        // An object with a method `handle` is a handler, not a front controller that returns the kernel.
        $kernel = $this->handling ?? Http\FrontController::application($callable, $this->settings->taskRoot);
        return (is_object($kernel) ? Http\Kernel::around($kernel) : null) ?? throw new ConfigurationError(
            "LAMELLA_MODE is worker, but {$this->settings->handler} returns " . get_debug_type($kernel)
            . '. It must return a PSR-15 RequestHandlerInterface, a Symfony HttpKernelInterface or a Laravel application.',
        );
    }

    private function loadAutoloader(): void
    {
        $configured = [getenv('LAMELLA_AUTOLOAD'), getenv('BREF_AUTOLOAD_PATH')];
        $usual = [$this->settings->taskRoot . '/vendor/autoload.php', '/opt/vendor/autoload.php'];
        foreach ([...array_filter($configured), ...$usual] as $file) {
            if (is_file($file)) {
                // The layer's autoloader stays first. Classes from the project's lamella/runtime would mix two versions.
                $own = spl_autoload_functions()[0];
                require_once $file;
                spl_autoload_unregister($own);
                spl_autoload_register($own, true, true);
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
        if ((new \ReflectionClass($class))->isInternal()) {
            // The name of a file or function, such as date, closure or generator.
            $this->attempts[] = "class {$class}: it is a class of PHP";
            return null;
        }
        if ($method === null) {
            return $this->fromObject($this->instance($class));
        }
        if (!method_exists($class, $method)) {
            $this->attempts[] = "class {$class}: it has no method {$method}";
            return null;
        }
        return (new \ReflectionMethod($class, $method))->isStatic()
            ? [$class, $method]
            : [$this->instance($class), $method];
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

    /** Loads the file. Returns its callable, or its function of that name in any namespace. */
    private function callableIn(string $file, string $function): ?callable
    {
        $before = get_defined_functions()['user'];
        $returned = require_once $file;
        if (is_object($returned)) {
            return $this->fromObject($returned);
        }
        if (is_callable($returned)) {
            return $returned;
        }
        // A function in a namespace may have the name of one of PHP's own.
        if (function_exists($function) && (new \ReflectionFunction($function))->isUserDefined()) {
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
        if (!$object instanceof \Closure && ($this->kernel = Http\Kernel::around($object)) !== null) {
            return $this->kernel;
        }
        if (is_callable($object)) {
            return $object;
        }
        if (method_exists($object, 'handle')) {
            $this->handling = $object;
            return [$object, 'handle'];
        }
        $this->attempts[] = 'class ' . $object::class . ': it has neither __invoke nor handle';
        return null;
    }

    /** Names may be any entry of the container, not only classes. */
    private function fromContainer(string $name): ?callable
    {
        // Bref's containers resolve files too. Those have been tried already.
        $container = str_ends_with($name, '.php') ? null : $this->container();
        if ($container === null) {
            return null;
        }
        if (!$container->has($name)) {
            $this->attempts[] = "the project's container: it has no {$name}";
            return null;
        }
        $entry = $container->get($name);
        return match (true) {
            is_object($entry) => $this->fromObject($entry),
            is_callable($entry) => $entry,
            default => null,
        };
    }

    /** An instance from the project's container if it has the class, otherwise a new one without arguments. */
    private function instance(string $class): object
    {
        $class = ltrim($class, '\\');
        $container = $this->container();
        return $container?->has($class) ? $container->get($class) : new $class();
    }

    private function container(): ?object
    {
        return $this->container ??= match (true) {
            $this->settings->container !== '' => require "{$this->settings->taskRoot}/{$this->settings->container}",
            // Bref's way: the project's files call Bref::setContainer() while they are loaded.
            class_exists('Bref\\Bref', false) => \Bref\Bref::getContainer(),
            default => null,
        };
    }
}
