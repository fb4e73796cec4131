<?php

/**
 * The client of Lambda's Runtime API. It keeps one connection, reads and writes HTTP itself, and needs no extension. GET next
 * is repeated on a new connection if the connection is lost. A response is never sent twice, because it may have arrived.
 * There is no read timeout, because the sandbox is frozen between invocations.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */

declare(strict_types=1);

namespace Lamella;

final class RuntimeApi
{
    private const ROOT = '/2018-06-01/runtime';
    /** Above this size, concatenating head and body costs more than a second write. */
    private const ONE_WRITE_BYTES = 65536;

    /** @var resource|null */
    private $socket = null;
    private bool $isStreaming = false;
    /** Whether GET next has been sent already. */
    private bool $hasAsked = false;
    private readonly string $nextRequest;
    private readonly string $hostLine;

    /** @param string $address host:port, from AWS_LAMBDA_RUNTIME_API */
    public function __construct(private readonly string $address)
    {
        $this->hostLine = " HTTP/1.1\r\nHost: {$address}\r\n";
        $this->nextRequest = 'GET ' . self::ROOT . "/invocation/next{$this->hostLine}\r\n";
    }

    /** Waits for the next invocation. */
    public function next(): Invocation
    {
        [$status, $head, $body] = $this->askForNext();
        if ($status !== 200) {
            throw new \RuntimeException("GET next failed: the Runtime API returned status {$status}: {$body}");
        }
        return new Invocation($head, $body);
    }

    /**
     * Sends the result. Returns false if Lambda refused it; Lambda then responds to the caller itself.
     *
     * @param bool $asksForNext sends GET next in the same write, which saves a round trip
     */
    public function respond(string $requestId, string $body, bool $asksForNext = false): bool
    {
        $path = "/invocation/{$requestId}/response";
        return $this->post($path, 'Content-Type: application/json', $body, $asksForNext ? $this->nextRequest : '');
    }

    /** Begins a streamed result. Only `writeChunk`, `endStream` and `fail` may follow until it has ended. */
    public function beginStream(string $requestId, string $contentType): void
    {
        if ($this->socket === null) {
            $this->connect();
        }
        $this->isStreaming = true;
        $this->writeToStream('POST ' . self::ROOT . "/invocation/{$requestId}/response{$this->hostLine}"
            . "Content-Type: {$contentType}\r\nTransfer-Encoding: chunked\r\n"
            . "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            . "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n");
    }

    public function writeChunk(string $bytes): void
    {
        // An empty chunk would end the stream.
        if ($bytes !== '') {
            $this->writeToStream(dechex(strlen($bytes)) . "\r\n{$bytes}\r\n");
        }
    }

    /** Ends the stream. An error is reported in its trailers, because the part sent before cannot be withdrawn. */
    public function endStream(string $errorType = '', string $errorBody = ''): bool
    {
        $trailers = $errorType === '' ? '' : 'Lambda-Runtime-Function-Error-Type: ' . self::token($errorType)
            . "\r\nLambda-Runtime-Function-Error-Body: " . base64_encode($errorBody) . "\r\n";
        $this->isStreaming = false;
        $response = $this->write("0\r\n{$trailers}\r\n") ? $this->read() : null;
        if ($response === null) {
            $this->close();
        }
        return $response !== null && $response[0] >= 200 && $response[0] < 300;
    }

    /** Reports the failure of an invocation. If its stream has begun, the failure ends the stream. */
    public function fail(string $requestId, string $errorType, string $body): bool
    {
        if ($this->isStreaming) {
            return $this->endStream($errorType, $body);
        }
        return $this->post("/invocation/{$requestId}/error", self::errorHeaders($errorType), $body);
    }

    /** Reports that initialization failed. The process must end afterwards. */
    public function failInitialization(string $errorType, string $body): bool
    {
        return $this->post('/init/error', self::errorHeaders($errorType), $body);
    }

    /** Whether GET next has been sent. Then this process must take the next invocation. */
    public function expectsInvocation(): bool
    {
        return $this->hasAsked;
    }

    /** Closes the connection, so that a new process image does not inherit it. */
    public function close(): void
    {
        $this->hasAsked = false;
        if ($this->socket !== null) {
            fclose($this->socket);
            $this->socket = null;
        }
    }

    /** @return array{int, string, string} status, head, body */
    private function askForNext(): array
    {
        $hasAsked = $this->hasAsked;
        $this->hasAsked = false;
        if ($this->socket !== null && ($hasAsked || $this->write($this->nextRequest))) {
            $response = $this->read();
            if ($response !== null) {
                return $response;
            }
        }
        // A server may close an idle connection. Ask again on a new one.
        $this->connect();
        $response = $this->write($this->nextRequest) ? $this->read() : null;
        return $response ?? throw new ConnectionLost("The Runtime API at {$this->address} closed the connection on GET next.");
    }

    private function post(string $path, string $headers, string $body, string $more = ''): bool
    {
        if ($this->socket === null) {
            $this->connect();
        }
        $length = strlen($body);
        $head = 'POST ' . self::ROOT . $path . $this->hostLine . $headers . "\r\nContent-Length: {$length}\r\n\r\n";
        $written = $length < self::ONE_WRITE_BYTES
            ? $this->write($head . $body . $more)
            : $this->write($head) && $this->write($body . $more);
        $this->hasAsked = $more !== '';
        // A server that refuses a body may respond before it has read it. Look for the response in any case.
        $response = $this->read();
        if (!$written || $response === null) {
            $this->close();
        }
        return $response !== null && $response[0] >= 200 && $response[0] < 300;
    }

    private function writeToStream(string $bytes): void
    {
        if (!$this->write($bytes)) {
            $this->close();
            $this->isStreaming = false;
            throw new \RuntimeException('Cannot continue the response: the caller is gone, or the invocation timed out.');
        }
    }

    private function connect(): void
    {
        $this->close();
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
        $socket = @stream_socket_client("tcp://{$this->address}", $code, $text, 10, STREAM_CLIENT_CONNECT, $context);
        if ($socket === false) {
            throw new ConnectionLost("Cannot connect to the Runtime API at {$this->address}: {$text}.");
        }
        stream_set_timeout($socket, -1);
        $this->socket = $socket;
    }

    private function write(string $bytes): bool
    {
        $written = @fwrite($this->socket, $bytes);
        while ($written !== false && $written < strlen($bytes)) {
            $more = @fwrite($this->socket, substr($bytes, $written, self::ONE_WRITE_BYTES));
            $written = $more === false || $more === 0 ? false : $written + $more;
        }
        return $written !== false;
    }

    /** @return array{int, string, string}|null status, head, body; null if the connection ended before */
    private function read(): ?array
    {
        do {
            $head = stream_get_line($this->socket, 1048576, "\r\n\r\n");
            if ($head === false || $head === '') {
                return null;
            }
            $status = (int) substr($head, 9, 3);
        } while ($status === 100);
        $at = stripos($head, "\r\ncontent-length:");
        if ($at !== false) {
            $length = (int) substr($head, $at + 17, 20);
            $body = $length === 0 ? '' : stream_get_contents($this->socket, $length);
            if ($body === false || strlen($body) !== $length) {
                return null;
            }
        } elseif (stripos($head, "\r\ntransfer-encoding: chunked") !== false) {
            $body = $this->readChunks();
            if ($body === null) {
                return null;
            }
        } else {
            $body = '';
        }
        if (stripos($head, "\r\nconnection: close") !== false) {
            $this->close();
        }
        return [$status, $head, $body];
    }

    private function readChunks(): ?string
    {
        $body = '';
        while (($line = fgets($this->socket)) !== false) {
            $length = hexdec(rtrim(strtok($line, ';')));
            if ($length === 0) {
                while (($trailer = fgets($this->socket)) !== false && $trailer !== "\r\n") {
                }
                return $body;
            }
            $chunk = stream_get_contents($this->socket, $length);
            if ($chunk === false || strlen($chunk) !== $length) {
                return null;
            }
            $body .= $chunk;
            fgets($this->socket);
        }
        return null;
    }

    private static function errorHeaders(string $errorType): string
    {
        return 'Content-Type: application/vnd.aws.lambda.error+json' . "\r\n"
            . 'Lambda-Runtime-Function-Error-Type: ' . self::token($errorType);
    }

    /** Removes characters that headers cannot have. The name of an anonymous class contains a NUL, for example. */
    private static function token(string $text): string
    {
        return preg_replace('/[^\x21-\x7e]+/', '_', $text);
    }
}
