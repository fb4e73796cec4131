<?php

/**
 * An HTTP request as Lambda delivers it, whoever delivered it: function URL and HTTP API (payload 2.0), REST API and HTTP
 * API (payload 1.0), load balancer. What differs between them is settled here, once. A handler has one by declaring a
 * parameter of this type; web applications get theirs made from it. Pure: nothing of PHP's own request is touched.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */

declare(strict_types=1);

namespace Lamella\Http;

final readonly class Request
{
    public const PAYLOAD_1 = '1.0';
    public const PAYLOAD_2 = '2.0';
    public const LOAD_BALANCER = 'alb';

    /** What may not stand in a path as it is. HTTP APIs hand the path over decoded; the others never have these. */
    private const NOT_IN_A_PATH = '/%(?![0-9A-Fa-f]{2})|[\x00-\x20"#<>?\\\\^`{|}\x7f-\xff]/';

    /**
     * @param self::PAYLOAD_1|self::PAYLOAD_2|self::LOAD_BALANCER $format
     * @param array<string, list<string>> $headers names in lower case
     * @param array<string, mixed> $event as it came, with nothing left out
     */
    public function __construct(
        public string $format,
        public string $method,
        /** As a browser would write it: percent-encoded, without the query. */
        public string $path,
        /** Without the question mark, encoded. */
        public string $queryString,
        public array $headers,
        /** Decoded, if it came as Base64. */
        public string $body,
        public string $protocol,
        public string $remoteAddress,
        /** Whether answers may name a header more than once, in the form `multiValueHeaders`. */
        public bool $takesMultipleValues,
        public array $event,
    ) {
    }

    /**
     * Throws BadRequest for a body that is not the Base64 it claims to be, UnexpectedEvent for what is no HTTP request.
     *
     * @param mixed $event the decoded event
     */
    public static function fromEvent(mixed $event): self
    {
        $context = is_array($event) ? $event['requestContext'] ?? null : null;
        // Authorizers and WebSockets have much of a request, and want another answer.
        $isOther = isset($context['connectionId']) || isset($event['methodArn']) || isset($event['routeArn']);
        return match (true) {
            $isOther => throw \Lamella\Event\UnexpectedEvent::notHttp($event),
            isset($context['elb'], $event['httpMethod']) => self::fromLoadBalancer($event),
            isset($context['http']['method']) => self::fromPayload2($event),
            isset($event['httpMethod']) => self::fromPayload1($event),
            default => throw \Lamella\Event\UnexpectedEvent::notHttp($event),
        };
    }

    /** As in the first line of an HTTP request: path and query. */
    public function uri(): string
    {
        return $this->queryString === '' ? $this->path : "{$this->path}?{$this->queryString}";
    }

    /** The values of a header as one, whatever the case of its name; '' if there is none. */
    public function header(string $name): string
    {
        $name = strtolower($name);
        $values = $this->headers[$name] ?? [];
        return count($values) === 1 ? $values[0] : implode($name === 'cookie' ? '; ' : ', ', $values);
    }

    /** The query as PHP's `$_GET` has it. @return array<array-key, mixed> */
    public function query(): array
    {
        parse_str($this->queryString, $query);
        return $query;
    }

    /**
     * The cookies as PHP's `$_COOKIE` has them: of one name the first counts, and a plus sign is a plus sign.
     *
     * @return array<array-key, mixed>
     */
    public function cookies(): array
    {
        $pairs = [];
        foreach (explode(';', $this->header('cookie')) as $pair) {
            [$name, $value] = explode('=', ltrim($pair), 2) + [1 => ''];
            if ($name !== '') {
                $key = str_ends_with($name, '[]') ? count($pairs) : "={$name}";
                $pairs[$key] ??= rawurlencode($name) . '=' . strtr($value, ['+' => '%2B', '&' => '%26']);
            }
        }
        parse_str(implode('&', $pairs), $cookies);
        return $cookies;
    }

    /** Name or address that the client asked, without the port. */
    public function host(): string
    {
        $host = $this->header('host') ?: (string) ($this->event['requestContext']['domainName'] ?? '');
        // Most have no port, and nothing to look for.
        return (str_contains($host, ':') ? preg_replace('/:\d+$/', '', $host) : $host) ?: 'localhost';
    }

    public function isSecure(): bool
    {
        $protocol = $this->header('x-forwarded-proto');
        return $protocol === '' ? $this->format !== self::LOAD_BALANCER : strtolower($protocol) === 'https';
    }

    public function port(): int
    {
        return (int) $this->header('x-forwarded-port') ?: ($this->isSecure() ? 443 : 80);
    }

    /** User and password of `Authorization: Basic`. @return array{string, string}|null */
    public function basicCredentials(): ?array
    {
        if (preg_match('/^\s*Basic\s+(\S+)\s*$/i', $this->header('authorization'), $match) !== 1) {
            return null;
        }
        $decoded = base64_decode($match[1], true);
        return $decoded === false || !str_contains($decoded, ':') ? null : explode(':', $decoded, 2);
    }

    /** @param array<string, mixed> $event */
    private static function fromPayload2(array $event): self
    {
        $http = $event['requestContext']['http'];
        $headers = self::headers($event);
        $cookies = $event['cookies'] ?? [];
        if (!isset($headers['cookie']) && $cookies !== []) {
            $headers['cookie'] = [implode('; ', $cookies)];
        }
        $path = (string) ($event['rawPath'] ?? $http['path'] ?? '/');
        return self::make(
            self::PAYLOAD_2,
            $event,
            $headers,
            method: $http['method'],
            path: self::withoutStage($path, $event, $headers),
            query: (string) ($event['rawQueryString'] ?? ''),
            protocol: $http['protocol'] ?? null,
            address: $http['sourceIp'] ?? null,
            multiple: false,
        );
    }

    /** @param array<string, mixed> $event */
    private static function fromPayload1(array $event): self
    {
        $values = $event['multiValueQueryStringParameters'] ?? $event['queryStringParameters'] ?? [];
        return self::make(
            self::PAYLOAD_1,
            $event,
            self::headers($event),
            method: $event['httpMethod'],
            path: (string) ($event['path'] ?? '/'),
            query: self::join($values ?: [], static fn (string $text): string => strtr(
                rawurlencode($text),
                ['%5B' => '[', '%5D' => ']'],
            ), rawurlencode(...)),
            protocol: $event['requestContext']['protocol'] ?? null,
            address: $event['requestContext']['identity']['sourceIp'] ?? null,
            multiple: ($event['multiValueHeaders'] ?? null) !== null,
        );
    }

    /** A load balancer hands names and values of the query over as they came, encoded. */
    private static function fromLoadBalancer(array $event): self
    {
        $headers = self::headers($event);
        $values = $event['multiValueQueryStringParameters'] ?? $event['queryStringParameters'] ?? [];
        $hops = explode(',', implode(',', $headers['x-forwarded-for'] ?? []));
        return self::make(
            self::LOAD_BALANCER,
            $event,
            $headers,
            method: $event['httpMethod'],
            path: (string) ($event['path'] ?? '/'),
            query: self::join($values ?: [], strval(...), strval(...)),
            protocol: null,
            address: trim(end($hops)),
            multiple: isset($event['multiValueHeaders']),
        );
    }

    private static function make(
        string $format,
        array $event,
        array $headers,
        string $method,
        string $path,
        string $query,
        ?string $protocol,
        ?string $address,
        bool $multiple,
    ): self {
        $body = (string) ($event['body'] ?? '');
        $decoded = ($event['isBase64Encoded'] ?? false) ? base64_decode($body, true) : $body;
        $body = (string) $decoded;
        $method = strtoupper($method);
        if ($body !== '' && $method === 'POST' && !isset($headers['content-type'])) {
            // So that $_POST is filled, as Bref has it.
            $headers['content-type'] = ['application/x-www-form-urlencoded'];
        }
        if ($body !== '' || isset($headers['content-length'])) {
            // What the client said may be of the encoded form, or a lie.
            $headers['content-length'] = [(string) strlen($body)];
        }
        $request = new self(
            $format,
            $method,
            self::encoded($path === '' ? '/' : $path),
            $query,
            $headers,
            $body,
            $protocol ?: 'HTTP/1.1',
            $address ?: '127.0.0.1',
            $multiple,
            $event,
        );
        return $decoded === false
            ? throw new BadRequest('The body of the request is not valid Base64.', $request)
            : $request;
    }

    /** @return array<string, list<string>> */
    private static function headers(array $event): array
    {
        $headers = [];
        foreach (($event['multiValueHeaders'] ?? null) ?: $event['headers'] ?? [] as $name => $values) {
            $name = strtolower((string) $name);
            foreach ((array) $values as $value) {
                $headers[$name][] = (string) $value;
            }
        }
        return $headers;
    }

    /** A stage that has a name stands before the path on the API's own host, and not on a domain of the user's. */
    private static function withoutStage(string $path, array $event, array $headers): string
    {
        $stage = (string) ($event['requestContext']['stage'] ?? '$default');
        $host = $headers['host'][0] ?? (string) ($event['requestContext']['domainName'] ?? '');
        $isOwnHost = str_contains($host, '.execute-api.');
        if ($stage === '$default' || !$isOwnHost || !str_starts_with("{$path}/", "/{$stage}/")) {
            return $path;
        }
        return substr($path, strlen($stage) + 1);
    }

    private static function encoded(string $path): string
    {
        return preg_replace_callback(self::NOT_IN_A_PATH, static fn (array $match) => rawurlencode($match[0]), $path);
    }

    /**
     * @param array<array-key, string|list<string>> $values
     * @param callable(string): string $name
     * @param callable(string): string $value
     */
    private static function join(array $values, callable $name, callable $value): string
    {
        $pairs = [];
        foreach ($values as $key => $several) {
            foreach ((array) $several as $one) {
                $pairs[] = $name((string) $key) . '=' . $value((string) $one);
            }
        }
        return implode('&', $pairs);
    }
}
