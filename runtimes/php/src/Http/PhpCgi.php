<?php

/**
 * The php-cgi process that runs a web application's scripts. One is enough, because Lambda sends one request at a time. This
 * process opens the socket and php-cgi inherits it, so that a connection need not wait for php-cgi and a new php-cgi takes
 * over when one dies. php-cgi logs to the function's log.
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\ConfigurationError;

final class PhpCgi
{
    /** A script that does nothing, to check that php-cgi works. */
    public const READY = __DIR__ . '/ready.php';
    /** A function's code never changes, and the invocation limits the time of a script. */
    private const SETTINGS = [
        'cgi.fix_pathinfo' => '0',
        'expose_php' => '0',
        'max_execution_time' => '0',
        // The query string would become command line arguments otherwise.
        'register_argc_argv' => '0',
        'opcache.enable' => '1',
        'opcache.memory_consumption' => '128',
        'opcache.interned_strings_buffer' => '16',
        'opcache.max_accelerated_files' => '20000',
        'opcache.validate_timestamps' => '0',
        'opcache.file_update_protection' => '0',
        'opcache.save_comments' => '1',
    ];
    /** SIGPROF, with which PHP itself implements max_execution_time. */
    private const TIMEOUT_SIGNAL = 27;
    private const OPCACHE = '/../lamella/ext/opcache.so';

    /** @var resource */
    private $listening;
    /** @var resource|null */
    private $process = null;
    /** @var resource|null reaches its end when php-cgi exits */
    private $lifeline = null;
    private ?FastCgi $connection = null;
    /** Whether a request has been sent and its response has not ended. */
    private bool $isResponding = false;
    private float $grace = 0.0;
    private readonly string $address;
    private readonly string $binary;

    /**
     * Throws ConfigurationError if the layer has no php-cgi.
     *
     * @param array<string, string> $ini settings that php-cgi reads from the project
     */
    public function __construct(private readonly string $directory, private readonly array $ini)
    {
        $this->binary = dirname(PHP_BINARY) . '/php-cgi';
        if (!is_executable($this->binary)) {
            throw new ConfigurationError("LAMELLA_MODE is http, but the layer has no {$this->binary}. Build it with "
                . 'lamella layer build php --variant http.');
        }
        $file = sys_get_temp_dir() . '/lamella-php-cgi-' . getmypid() . '.sock';
        @unlink($file);
        $this->address = "unix://{$file}";
        $listening = @stream_socket_server($this->address, $code, $text);
        $this->listening = $listening !== false ? $listening : throw new ConfigurationError(
            "Cannot open the socket {$file} for php-cgi: {$text}",
        );
        $this->start();
    }

    /**
     * Sends a request. `receive` returns its response. If the process exits before it has received any part of the request,
     * the request is sent again to a new process. A request that was received is never repeated. Throws WorkerGone or
     * WorkerTimedOut after stopping the process.
     *
     * @param array<string, string> $params
     * @param float $grace seconds in which a script can end by itself after the deadline
     */
    public function send(array $params, string $body, float $deadline, float $grace): void
    {
        $this->grace = $grace;
        if ($this->isResponding) {
            // The rest of the previous response would arrive before the new one.
            $this->restart();
        }
        try {
            if (!$this->connection()->send($params, $body, $deadline)) {
                $this->restart();
                $this->connection()->send($params, $body, $deadline);
            }
            $this->isResponding = true;
            if ($this->lifeline !== null) {
                $this->awaitFirstResponse($deadline);
            }
        } catch (WorkerGone | WorkerTimedOut $failure) {
            $this->stop();
            throw $failure;
        }
    }

    /** The next piece of the response; null at its end. Throws the same exceptions as `send`. */
    public function receive(float $deadline): ?string
    {
        try {
            $piece = $this->connection->receive(self::log(...), $deadline);
            $this->isResponding = $piece !== null;
            return $piece;
        } catch (WorkerTimedOut $late) {
            if (!$this->endsOnSignal()) {
                $this->stop();
            }
            throw $late;
        } catch (WorkerGone $gone) {
            $this->stop();
            throw $gone;
        }
    }

    /** Starts the process if it is not running. */
    public function prepare(): void
    {
        if ($this->process === null) {
            $this->start();
        }
    }

    public function restart(): void
    {
        $this->stop();
        $this->start();
    }

    public function stop(): void
    {
        $this->connection?->close();
        $this->connection = null;
        $this->isResponding = false;
        if ($this->process !== null) {
            proc_terminate($this->process, 9);
            proc_close($this->process);
            $this->process = null;
        }
    }

    private function start(): void
    {
        $arguments = [$this->binary, '-q'];
        $module = dirname($this->binary) . self::OPCACHE;
        $isLoaded = extension_loaded('Zend OPcache') || str_contains($this->ini['zend_extension'] ?? '', 'opcache');
        if (is_file($module) && !$isLoaded) {
            array_push($arguments, '-d', 'zend_extension=opcache');
        }
        foreach (self::SETTINGS as $name => $value) {
            array_push($arguments, '-d', "{$name}={$value}");
        }
        array_push($arguments, '-d', 'memory_limit=' . ($this->ini['memory_limit'] ?? ini_get('memory_limit')));
        if (($this->ini['open_basedir'] ?? '') !== '') {
            array_push($arguments, '-d', "open_basedir={$this->ini['open_basedir']}:" . self::READY);
        }
        $environment = ['PHP_FCGI_MAX_REQUESTS' => '0'] + getenv();
        // php-cgi would fork children otherwise.
        unset($environment['PHP_FCGI_CHILDREN']);
        $streams = [0 => $this->listening, 1 => STDERR, 2 => STDERR, 3 => ['pipe', 'w']];
        $process = proc_open($arguments, $streams, $pipes, $this->directory, $environment);
        if ($process === false) {
            throw new ConfigurationError("Cannot start {$this->binary}.");
        }
        $this->process = $process;
        $this->lifeline = $pipes[3];
    }

    /**
     * Ends the script by a signal, so that PHP still delivers the script's log lines and the line at which it was stopped.
     * Returns false if the script is in a call that cannot be interrupted and the process must be killed.
     */
    private function endsOnSignal(): bool
    {
        proc_terminate($this->process, self::TIMEOUT_SIGNAL);
        $deadline = microtime(true) + $this->grace;
        try {
            while ($this->connection->receive(self::log(...), $deadline) !== null) {
            }
        } catch (WorkerGone | WorkerTimedOut) {
            return false;
        }
        $this->isResponding = false;
        return true;
    }

    private function connection(): FastCgi
    {
        if ($this->connection === null) {
            if ($this->process === null || !proc_get_status($this->process)['running']) {
                $this->restart();
            }
            $socket = @stream_socket_client($this->address, $code, $text, 1);
            $this->connection = $socket !== false
                ? new FastCgi($socket)
                : throw new WorkerGone("Cannot connect to php-cgi: {$text}");
        }
        return $this->connection;
    }

    /**
     * Waits for the first response or the end of php-cgi. This process owns the listening socket, so a php-cgi that dies
     * before it accepts the connection does not close it.
     */
    private function awaitFirstResponse(float $deadline): void
    {
        $left = max(0, $deadline - microtime(true));
        $readable = [$this->connection->socket(), $this->lifeline];
        $none = null;
        stream_select($readable, $none, $none, (int) $left, (int) (fmod($left, 1) * 1e6));
        if (in_array($this->lifeline, $readable, true) && !in_array($this->connection->socket(), $readable, true)) {
            throw new WorkerGone('php-cgi exited immediately after it started.');
        }
        fclose($this->lifeline);
        $this->lifeline = null;
    }

    private static function log(string $text): void
    {
        file_put_contents('php://stderr', str_ends_with($text, "\n") ? $text : "{$text}\n");
    }
}
