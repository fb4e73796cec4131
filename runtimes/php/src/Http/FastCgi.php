<?php

/**
 * A FastCGI client: one connection that is reused for all requests, and the records on it. `PhpCgi` owns the process at the
 * other end and its timeouts.
 * https://fastcgi-archives.github.io/FastCGI_Specification.html
 */

declare(strict_types=1);

namespace Lamella\Http;

final class FastCgi
{
    private const BEGIN_REQUEST = 1;
    private const END_REQUEST = 3;
    private const PARAMS = 4;
    private const STDIN = 5;
    private const STDOUT = 6;
    private const STDERR = 7;
    private const RESPONDER_KEEPING_CONNECTION = "\0\1\1\0\0\0\0\0";
    private const RECORD_BYTES = 65535;
    /** The other end accepts this number of bytes before it reads. It may read only after it has begun to respond. */
    private const UNREAD_BYTES = 65536;

    /** Received bytes that have not been consumed. */
    private string $buffer = '';
    private int $at = 0;

    /** @param resource $socket */
    public function __construct(private $socket)
    {
        stream_set_read_buffer($socket, 0);
    }

    /**
     * Sends a request. Returns false if the other end was gone already and has received no part of it. Throws WorkerGone,
     * WorkerTimedOut.
     *
     * @param array<string, string> $params
     */
    public function send(array $params, string $body, float $deadline): bool
    {
        $encoded = '';
        foreach ($params as $name => $value) {
            $nameLength = strlen($name);
            $length = strlen($value);
            // A length below 128 takes one byte, others take four with the first bit set.
            $encoded .= ($nameLength < 128 ? chr($nameLength) : pack('N', $nameLength | 0x80000000))
                . ($length < 128 ? chr($length) : pack('N', $length | 0x80000000)) . "{$name}{$value}";
        }
        $request = self::record(self::BEGIN_REQUEST, self::RESPONDER_KEEPING_CONNECTION)
            . self::records(self::PARAMS, $encoded) . self::records(self::STDIN, $body);
        if (strlen($request) <= self::UNREAD_BYTES) {
            return $this->write($request);
        }
        stream_set_blocking($this->socket, false);
        try {
            return $this->writeWhileReading($request, $deadline);
        } finally {
            stream_set_blocking($this->socket, true);
        }
    }

    /**
     * Returns the next piece of the output, or null at the end of the request. Passes error output to `$log`. Throws
     * WorkerGone, WorkerTimedOut.
     *
     * @param callable(string): void $log
     */
    public function receive(callable $log, float $deadline): ?string
    {
        while (true) {
            $header = $this->take(8, $deadline);
            $type = ord($header[1]);
            $content = $this->take((ord($header[4]) << 8) | ord($header[5]), $deadline);
            $this->take(ord($header[6]), $deadline);
            if ($type === self::STDOUT && $content !== '') {
                return $content;
            }
            if ($type === self::END_REQUEST) {
                return null;
            }
            if ($type === self::STDERR && $content !== '') {
                $log($content);
            }
        }
    }

    /** For stream_select(). @return resource */
    public function socket()
    {
        return $this->socket;
    }

    public function close(): void
    {
        fclose($this->socket);
    }

    /** Consumes exactly this number of bytes. Waits for them if necessary. */
    private function take(int $bytes, float $deadline): string
    {
        if ($bytes <= 8 && strlen($this->buffer) - $this->at < $bytes) {
            // Reads more than needed, because the content usually arrives with its header.
            $this->buffer = substr($this->buffer, $this->at) . $this->read(self::RECORD_BYTES, $deadline);
            $this->at = 0;
        }
        $taken = substr($this->buffer, $this->at, $bytes);
        $this->at += strlen($taken);
        while (strlen($taken) < $bytes) {
            $taken .= $this->read($bytes - strlen($taken), $deadline);
        }
        return $taken;
    }

    private function read(int $bytes, float $deadline): string
    {
        $left = $deadline - microtime(true);
        if ($left <= 0) {
            throw new WorkerTimedOut();
        }
        stream_set_timeout($this->socket, (int) $left, (int) (fmod($left, 1) * 1e6));
        $read = @fread($this->socket, $bytes);
        if ($read === false || $read === '') {
            throw stream_get_meta_data($this->socket)['timed_out'] ? new WorkerTimedOut() : new WorkerGone();
        }
        return $read;
    }

    private function write(string $bytes): bool
    {
        for ($at = 0; $at < strlen($bytes); $at += $written) {
            $written = @fwrite($this->socket, $at === 0 ? $bytes : substr($bytes, $at));
            if ($written === false || $written === 0) {
                return $at > 0 ? throw new WorkerGone() : false;
            }
        }
        return true;
    }

    /** A script may respond before it has read the whole request. A client that only writes would then wait forever. */
    private function writeWhileReading(string $bytes, float $deadline): bool
    {
        $at = 0;
        while ($at < strlen($bytes)) {
            $left = $deadline - microtime(true);
            if ($left <= 0) {
                throw new WorkerTimedOut();
            }
            $readable = $writable = [$this->socket];
            $none = null;
            stream_select($readable, $writable, $none, (int) $left, (int) (fmod($left, 1) * 1e6));
            if ($readable !== []) {
                $more = @fread($this->socket, self::RECORD_BYTES);
                if ($more === false || ($more === '' && feof($this->socket))) {
                    return $at > 0 ? throw new WorkerGone() : false;
                }
                $this->buffer .= $more;
            }
            if ($writable !== []) {
                $written = @fwrite($this->socket, substr($bytes, $at, self::UNREAD_BYTES));
                if ($written === false) {
                    return $at > 0 ? throw new WorkerGone() : false;
                }
                $at += $written;
            }
        }
        return true;
    }

    /** A stream of records. An empty record ends it. */
    private static function records(int $type, string $content): string
    {
        if ($content === '') {
            return self::record($type, '');
        }
        $records = '';
        foreach (str_split($content, self::RECORD_BYTES) as $piece) {
            $records .= self::record($type, $piece);
        }
        return $records . self::record($type, '');
    }

    private static function record(int $type, string $content): string
    {
        return pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
    }
}
