<?php

/**
 * The state of PHP that php-fpm discards at the end of a request. A process that stays booted would keep it, and one visitor
 * would get the session, the locale or the error handler of the previous one. The state after booting is recorded once and
 * restored after each invocation. Whatever belongs to the booted application stays: objects, static and global variables,
 * constants, classes, included files, autoloaders, open connections. README.md lists both.
 */

declare(strict_types=1);

namespace Lamella;

final class RequestState
{
    /** The runtime sets these for each invocation. */
    private const PER_INVOCATION = ['_X_AMZN_TRACE_ID' => true, 'LAMBDA_INVOCATION_CONTEXT' => true];
    /** `Deadline` sets these for each invocation. */
    private const OF_DEADLINE = ['default_socket_timeout' => true, 'mysqlnd.net_read_timeout' => true];
    /** A stream wrapper without a use: always the last, so that any other one that is registered again comes after it. */
    private const MARKER = 'lamella-marker';
    private const LAST_SIGNAL = 31;
    private const MAX_HANDLERS = 100;

    /** @var array<string, string|false> all settings that ini_set() can change */
    private readonly array $ini;
    /** @var array<string, string> */
    private array $environment;
    /** @var callable|null */
    private $errorHandler;
    /** @var callable|null */
    private $exceptionHandler;
    private readonly string $locale;
    private readonly string $timezone;
    private readonly string|false $directory;
    private readonly int $umask;
    private readonly array $server;
    private readonly array $variables;
    private readonly array $request;
    /** @var list<string> in the order of their registration */
    private array $streamWrappers;
    /** @var list<string> wrappers that the project replaced while booting */
    private readonly array $ownWrappers;
    private readonly array $contextOptions;
    private readonly int|bool $status;
    private readonly \Closure $noHeaderCallback;
    private readonly bool $hasSessions;
    /** @var list<array{callable, mixed}> functions of mbstring that return a value, and set it if called with one */
    private array $multibyte = [];
    /** @var array<int, callable|int|string> */
    private array $signalHandlers = [];
    private readonly bool $hasAsyncSignals;
    /** @var list<int> */
    private array $blockedSignals = [];
    private readonly bool $hasLibxml;
    private readonly bool $libxmlErrors;
    private readonly mixed $entityLoader;

    /**
     * Records the state. Call it when the application is booted.
     *
     * @param list<string> $initialWrappers from wrappers() before booting
     */
    public function __construct(private readonly Output $output, array $initialWrappers)
    {
        $ini = [];
        foreach (array_diff_key(ini_get_all(), self::OF_DEADLINE) as $name => ['access' => $access]) {
            if (($access & 1) !== 0) {
                $ini[$name] = ini_get($name);
            }
        }
        $this->ini = $ini;
        $this->environment = self::environment();
        $this->errorHandler = self::errorHandler();
        $this->exceptionHandler = self::exceptionHandler();
        $this->locale = (string) setlocale(LC_ALL, '0');
        $this->timezone = date_default_timezone_get();
        $this->directory = getcwd();
        $this->umask = umask();
        $this->server = array_diff_key($_SERVER, self::PER_INVOCATION);
        $this->variables = array_diff_key($_ENV, self::PER_INVOCATION);
        $this->request = [$_GET, $_POST, $_COOKIE, $_FILES, $_REQUEST];
        $this->ownWrappers = self::moved($initialWrappers, stream_get_wrappers());
        $this->streamWrappers = self::wrappers();
        $this->contextOptions = stream_context_get_options(stream_context_get_default());
        $this->status = http_response_code();
        $this->noHeaderCallback = static function (): void {
        };
        $this->hasSessions = function_exists('session_status');
        $this->recordMultibyte();
        $this->recordSignals();
        $this->hasLibxml = function_exists('libxml_use_internal_errors');
        $this->libxmlErrors = $this->hasLibxml && libxml_use_internal_errors();
        $this->entityLoader = $this->hasLibxml && function_exists('libxml_get_external_entity_loader')
            ? libxml_get_external_entity_loader()
            : null;
    }

    /** @return list<string> all stream wrappers, with a marker behind them */
    public static function wrappers(): array
    {
        @stream_wrapper_unregister(self::MARKER);
        stream_wrapper_register(self::MARKER, \stdClass::class);
        return stream_get_wrappers();
    }

    /**
     * Restores the state. Call it after the response has been sent. Returns false if something cannot be restored: then only a
     * restart of PHP can.
     */
    public function reset(): bool
    {
        $isRestored = $this->output->reset();
        output_reset_rewrite_vars();
        $this->resetHandlers();
        // The functions below warn about values that cannot be restored. The return value tells.
        set_error_handler(static fn (): bool => true);
        try {
            $isRestored = $this->resetSession($isRestored) && $isRestored;
            $isRestored = $this->resetIni() && $isRestored;
            $isRestored = $this->resetStreams() && $isRestored;
            $this->resetHeaders();
            $this->resetProcess();
            $this->resetLibraries();
            $this->resetVariables();
        } finally {
            restore_error_handler();
            error_clear_last();
        }
        return $isRestored;
    }

    private function resetHandlers(): void
    {
        for ($count = 0; $count < self::MAX_HANDLERS; $count++) {
            $current = self::errorHandler();
            if ($current === $this->errorHandler || $current === null) {
                break;
            }
            restore_error_handler();
        }
        if (self::errorHandler() !== $this->errorHandler) {
            set_error_handler($this->errorHandler);
        }
        for ($count = 0; $count < self::MAX_HANDLERS; $count++) {
            $current = self::exceptionHandler();
            if ($current === $this->exceptionHandler || $current === null) {
                break;
            }
            restore_exception_handler();
        }
        if (self::exceptionHandler() !== $this->exceptionHandler) {
            set_exception_handler($this->exceptionHandler);
        }
    }

    /** Stores the session and makes PHP forget its data and its ID. */
    private function resetSession(bool $canStart): bool
    {
        if (!$this->hasSessions) {
            return true;
        }
        if (session_status() === PHP_SESSION_ACTIVE) {
            session_write_close();
        }
        unset($_SESSION);
        if (session_id() === '') {
            return true;
        }
        if (!$canStart) {
            return false;
        }
        $saveHandler = $this->ini['session.save_handler'];
        if ($saveHandler === 'user') {
            // The handler was registered while booting and must stay.
            session_id('');
            return true;
        }
        // session_id('') is not enough: PHP would ignore the cookie of the next request.
        session_id('none');
        session_set_save_handler(new DiscardedSession(), false);
        session_start(['use_cookies' => '0', 'use_strict_mode' => '0', 'cache_limiter' => '', 'gc_probability' => '0']);
        session_destroy();
        unset($_SESSION);
        return ini_set('session.save_handler', (string) $saveHandler) !== false && session_id() === '';
    }

    private function resetIni(): bool
    {
        $isRestored = true;
        foreach ($this->ini as $name => $value) {
            if (ini_get($name) !== $value) {
                ini_restore($name);
                if (ini_get($name) !== $value) {
                    ini_set($name, (string) $value);
                    $isRestored = ini_get($name) === $value && $isRestored;
                }
            }
        }
        return $isRestored;
    }

    private function resetStreams(): bool
    {
        $current = stream_get_wrappers();
        if ($current !== $this->streamWrappers) {
            foreach (array_diff($current, $this->streamWrappers) as $added) {
                stream_wrapper_unregister($added);
            }
            foreach (array_diff($this->streamWrappers, $current) as $removed) {
                stream_wrapper_restore($removed);
            }
            foreach (array_diff(self::moved($this->streamWrappers, $current), $this->ownWrappers) as $replaced) {
                stream_wrapper_restore($replaced);
            }
            $this->streamWrappers = self::wrappers();
        }
        return stream_context_get_options(stream_context_get_default()) === $this->contextOptions;
    }

    private function resetHeaders(): void
    {
        header_remove();
        header_register_callback($this->noHeaderCallback);
        if (http_response_code() !== $this->status && http_response_code() !== 200) {
            // The initial state, no status, cannot be restored. It means 200.
            http_response_code(is_int($this->status) ? $this->status : 200);
        }
    }

    private function resetProcess(): void
    {
        $environment = self::environment();
        if ($environment !== $this->environment) {
            foreach (array_keys(array_diff_key($environment, $this->environment)) as $added) {
                putenv((string) $added);
            }
            foreach (array_diff_assoc($this->environment, $environment) as $name => $value) {
                putenv("{$name}={$value}");
            }
            // In the order that it has now, so that the next comparison is fast.
            $this->environment = self::environment();
        }
        if (setlocale(LC_ALL, '0') !== $this->locale) {
            setlocale(LC_ALL, $this->locale);
        }
        if (date_default_timezone_get() !== $this->timezone) {
            date_default_timezone_set($this->timezone);
        }
        if ($this->directory !== false && getcwd() !== $this->directory) {
            chdir($this->directory);
        }
        umask($this->umask);
        if ($this->signalHandlers !== []) {
            pcntl_alarm(0);
            pcntl_async_signals($this->hasAsyncSignals);
            pcntl_sigprocmask(SIG_SETMASK, $this->blockedSignals);
            foreach ($this->signalHandlers as $signal => $handler) {
                if (pcntl_signal_get_handler($signal) !== $handler) {
                    pcntl_signal($signal, $handler);
                }
            }
        }
    }

    private function resetLibraries(): void
    {
        foreach ($this->multibyte as [$function, $value]) {
            if ($function() !== $value) {
                $function($value);
            }
        }
        if ($this->hasLibxml) {
            libxml_clear_errors();
            libxml_use_internal_errors($this->libxmlErrors);
            if (
                function_exists('libxml_get_external_entity_loader')
                && libxml_get_external_entity_loader() !== $this->entityLoader
            ) {
                libxml_set_external_entity_loader($this->entityLoader);
            }
        }
        // A seed that a handler has set would make the random numbers of the next one predictable.
        mt_srand();
        strtok('', '');
        clearstatcache();
        // Clears json_last_error().
        json_encode(null);
    }

    private function resetVariables(): void
    {
        [$_GET, $_POST, $_COOKIE, $_FILES, $_REQUEST] = $this->request;
        $_SERVER = $this->server;
        $_ENV = $this->variables;
    }

    private function recordMultibyte(): void
    {
        $functions = ['mb_internal_encoding', 'mb_http_output', 'mb_substitute_character', 'mb_detect_order',
            'mb_regex_encoding', 'mb_regex_set_options'];
        foreach (array_filter($functions, function_exists(...)) as $function) {
            $this->multibyte[] = [$function, $function()];
        }
    }

    private function recordSignals(): void
    {
        $needed = ['pcntl_alarm', 'pcntl_async_signals', 'pcntl_signal', 'pcntl_signal_get_handler', 'pcntl_sigprocmask'];
        $hasSignals = array_filter($needed, function_exists(...)) === $needed;
        $this->hasAsyncSignals = $hasSignals && pcntl_async_signals();
        if ($hasSignals) {
            for ($signal = 1; $signal <= self::LAST_SIGNAL; $signal++) {
                if ($signal !== SIGKILL && $signal !== SIGSTOP) {
                    $this->signalHandlers[$signal] = pcntl_signal_get_handler($signal);
                }
            }
            pcntl_sigprocmask(SIG_BLOCK, [SIGURG], $this->blockedSignals);
            pcntl_sigprocmask(SIG_SETMASK, $this->blockedSignals);
        }
    }

    /**
     * The wrappers that were registered again: PHP lists them in the order of their registration.
     *
     * @param list<string> $before
     * @param list<string> $after
     * @return list<string>
     */
    private static function moved(array $before, array $after): array
    {
        $moved = [];
        $at = 0;
        foreach ($before as $name) {
            if ($name === ($after[$at] ?? null)) {
                $at++;
            } else {
                $moved[] = $name;
            }
        }
        return $moved;
    }

    /** @return array<string, string> */
    private static function environment(): array
    {
        return array_diff_key(getenv(), self::PER_INVOCATION);
    }

    private static function errorHandler(): mixed
    {
        $handler = set_error_handler(null);
        restore_error_handler();
        return $handler;
    }

    private static function exceptionHandler(): mixed
    {
        $handler = set_exception_handler(null);
        restore_exception_handler();
        return $handler;
    }
}
