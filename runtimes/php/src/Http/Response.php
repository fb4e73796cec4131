<?php

/**
 * An HTTP response, which a handler may return, and its format for each source of requests: payload 2.0 has `cookies` and
 * joins repeated headers, payload 1.0 has `multiValueHeaders`, a load balancer requires `statusDescription`.
 */

declare(strict_types=1);

namespace Lamella\Http;

final readonly class Response
{
    /** Statuses with which no body may be sent. */
    private const WITHOUT_BODY = [204, 205, 304];
    private const TEXT = '~^(text/|application/(json|xml|javascript|ecmascript|x-javascript|x-www-form-urlencoded|'
        . 'graphql|yaml|x-yaml|toml|x-ndjson|jsonlines|rtf|x-sh|x-httpd-php)\b|image/svg\+xml|[^;]*\+(json|xml|yaml)\b|'
        . 'message/|multipart/)~i';
    private const REASONS = [
        200 => 'OK', 201 => 'Created', 202 => 'Accepted', 203 => 'Non-Authoritative Information', 204 => 'No Content',
        205 => 'Reset Content', 206 => 'Partial Content', 207 => 'Multi-Status', 300 => 'Multiple Choices',
        301 => 'Moved Permanently', 302 => 'Found', 303 => 'See Other', 304 => 'Not Modified',
        307 => 'Temporary Redirect', 308 => 'Permanent Redirect', 400 => 'Bad Request', 401 => 'Unauthorized',
        402 => 'Payment Required', 403 => 'Forbidden', 404 => 'Not Found', 405 => 'Method Not Allowed',
        406 => 'Not Acceptable', 408 => 'Request Timeout', 409 => 'Conflict', 410 => 'Gone', 411 => 'Length Required',
        412 => 'Precondition Failed', 413 => 'Payload Too Large', 414 => 'URI Too Long',
        415 => 'Unsupported Media Type', 416 => 'Range Not Satisfiable', 417 => 'Expectation Failed',
        418 => "I'm a teapot", 421 => 'Misdirected Request', 422 => 'Unprocessable Entity', 423 => 'Locked',
        425 => 'Too Early', 426 => 'Upgrade Required', 428 => 'Precondition Required', 429 => 'Too Many Requests',
        431 => 'Request Header Fields Too Large', 451 => 'Unavailable For Legal Reasons',
        500 => 'Internal Server Error', 501 => 'Not Implemented', 502 => 'Bad Gateway', 503 => 'Service Unavailable',
        504 => 'Gateway Timeout', 507 => 'Insufficient Storage', 511 => 'Network Authentication Required',
    ];

    /**
     * @param array<string, string|list<string>> $headers including `Set-Cookie`
     * @param string|iterable<string>|\Closure(callable(string): void): void $body a string, pieces that are generated while
     *     they are sent, or a function that calls its argument with each piece
     * @param ?\Closure(): void $afterResponse called after the response has been sent
     */
    public function __construct(
        public int $status = 200,
        public array $headers = [],
        public string|iterable|\Closure $body = '',
        public ?\Closure $afterResponse = null,
    ) {
    }

    public static function text(int $status, string $text): self
    {
        return new self($status, ['Content-Type' => 'text/plain; charset=utf-8'], $text);
    }

    /** @param array<string, string|list<string>> $headers */
    public static function json(mixed $value, int $status = 200, array $headers = []): self
    {
        return new self($status, $headers + ['Content-Type' => 'application/json'], json_encode(
            $value,
            \Lamella\Handler::JSON_OUT,
        ));
    }

    /** @param array<string, string|list<string>> $headers */
    public static function redirect(string $location, int $status = 302, array $headers = []): self
    {
        return new self($status, $headers + ['Location' => $location]);
    }

    /** The whole body. A generated body can be read only once. */
    public function content(): string
    {
        if (is_string($this->body)) {
            return $this->body;
        }
        $content = '';
        $this->eachPiece(static function (string $piece) use (&$content): void {
            $content .= $piece;
        });
        return $content;
    }

    /** @param callable(string): void $write */
    public function eachPiece(callable $write): void
    {
        if (is_string($this->body)) {
            $write($this->body);
        } elseif ($this->body instanceof \Closure) {
            ($this->body)($write);
        } else {
            foreach ($this->body as $piece) {
                $write($piece);
            }
        }
    }

    public static function mayHaveBody(int $status): bool
    {
        return !in_array($status, self::WITHOUT_BODY, true);
    }

    /**
     * The result that Lambda passes to the source of the request.
     *
     * @param 'auto'|'always'|'never' $binary whether the body is encoded as Base64; with `auto` only if it is not text
     * @return array<string, mixed>
     */
    public function toEvent(Request $request, string $binary = 'auto'): array
    {
        $body = self::mayHaveBody($this->status) ? $this->content() : '';
        [$headers, $cookies, $names] = $this->headersAndCookies();
        $isBinary = $body !== '' && match ($binary) {
            'always' => true,
            'never' => false,
            'auto' => self::isBinary(
                $headers[$names['content-type'] ?? ''][0] ?? 'text/plain',
                $headers[$names['content-encoding'] ?? ''][0] ?? 'identity',
                $body,
            ),
        };
        $response = ['statusCode' => $this->status] + self::eventHeaders($request, $headers, $cookies);
        if ($request->format === Request::LOAD_BALANCER) {
            $response['statusDescription'] = trim("{$this->status} " . (self::REASONS[$this->status] ?? ''));
        }
        $response['body'] = $isBinary ? base64_encode($body) : $body;
        $response['isBase64Encoded'] = $isBinary;
        return $response;
    }

    /**
     * The values of the prelude of a streamed response.
     *
     * @return array{int, array<string, string>, list<string>} status, headers, cookies
     */
    public function prelude(): array
    {
        [$headers, $cookies] = $this->headersAndCookies();
        return [$this->status, self::joined($headers), $cookies];
    }

    /**
     * @param array<string, list<string>> $headers
     * @param list<string> $cookies
     * @return array<string, mixed>
     */
    private static function eventHeaders(Request $request, array $headers, array $cookies): array
    {
        if ($request->format === Request::PAYLOAD_2) {
            $joined = self::joined($headers);
            return ['headers' => (object) $joined] + ($cookies === [] ? [] : ['cookies' => $cookies]);
        }
        if ($request->takesMultipleValues) {
            return ['multiValueHeaders' => (object) ($headers + ($cookies === [] ? [] : ['Set-Cookie' => $cookies]))];
        }
        $last = self::joined($headers);
        foreach (array_reverse($cookies) as $index => $cookie) {
            // A JSON object has one value per name. Names in different case are distinct there, but equal to a browser.
            $last[self::variant('Set-Cookie', $index)] = $cookie;
        }
        return ['headers' => (object) $last];
    }

    /**
     * Names are case-insensitive. The first spelling of a name is kept.
     *
     * @return array{array<string, list<string>>, list<string>, array<string, string>} headers, cookies, names by lower case
     */
    private function headersAndCookies(): array
    {
        $headers = [];
        $cookies = [];
        $names = [];
        foreach ($this->headers as $name => $values) {
            $lowerCase = strtolower((string) $name);
            $name = $names[$lowerCase] ??= (string) $name;
            foreach ((array) $values as $value) {
                $headers[$name][] = (string) $value;
            }
        }
        if (isset($names['set-cookie'])) {
            $cookies = $headers[$names['set-cookie']] ?? [];
            unset($headers[$names['set-cookie']]);
        }
        return [$headers, $cookies, $names];
    }

    /**
     * @param array<string, list<string>> $headers
     * @return array<string, string>
     */
    private static function joined(array $headers): array
    {
        $joined = [];
        foreach ($headers as $name => $values) {
            $joined[$name] = count($values) === 1 ? $values[0] : implode(', ', $values);
        }
        return $joined;
    }

    private static function isBinary(string $type, string $encoding, string $body): bool
    {
        return strtolower($encoding) !== 'identity' || preg_match(self::TEXT, $type) !== 1 || !self::isUtf8($body);
    }

    private static function isUtf8(string $text): bool
    {
        // Ten times faster, if the layer has the extension.
        return function_exists('mb_check_encoding') ? mb_check_encoding($text, 'UTF-8') : preg_match('//u', $text) === 1;
    }

    /** The `$index`th spelling of a name with different letter case. Spelling 0 is the name itself. */
    private static function variant(string $name, int $index): string
    {
        for ($at = strlen($name) - 1; $at >= 0 && $index > 0; $at--) {
            if ($name[$at] !== '-') {
                // Toggles the case.
                $name[$at] = $index & 1 ? $name[$at] ^ ' ' : $name[$at];
                $index >>= 1;
            }
        }
        return $name;
    }
}
