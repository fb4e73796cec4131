<?php

/**
 * An HTTP request from an event of a function URL or HTTP API (payload 2.0), a REST API or HTTP API (payload 1.0), or a load
 * balancer. This class hides the differences between them. A handler gets one by declaring a parameter of this type. The
 * requests of web applications are created from it. It does not read or change PHP's own request.
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

    /** Characters that a path cannot contain. HTTP APIs decode the path of their events; other sources never have these. */
    private const NOT_IN_A_PATH = '/%(?![0-9A-Fa-f]{2})|[\x00-\x20"#<>?\\\\^`{|}\x7f-\xff]/';

    /**
     * @param self::PAYLOAD_1|self::PAYLOAD_2|self::LOAD_BALANCER $format
     * @param array<string, list<string>> $headers names in lower case
     * @param array<string, mixed> $event the complete event
     */
    public function __construct(
        public string $format,
        public string $method,
        /** Percent-encoded, without the query. */
        public string $path,
        /** Percent-encoded, without the question mark. */
        public string $queryString,
        public array $headers,
        /** Already decoded if the event has it as Base64. */
        public string $body,
        public string $protocol,
        /** Address of the client. */
        public string $remoteAddress,
        /** REMOTE_ADDR of web applications: the client, or the address that the settings name. */
        public string $peerAddress,
        /** Whether the response must use `multiValueHeaders`. */
        public bool $takesMultipleValues,
        public array $event,
    ) {
    }

    /**
     * Throws BadRequest if the body is not valid Base64 although the event says so, and UnexpectedEvent for an event that is
     * not an HTTP request.
     *
     * @param mixed $event the decoded event
     * @param string $peerAddress REMOTE_ADDR of web applications; '' for the address of the client
     */
    public static function fromEvent(mixed $event, string $peerAddress = ''): self
    {
        $context = is_array($event) ? $event['requestContext'] ?? null : null;
        // Events of authorizers and WebSockets look similar but need a different response.
        $isOther = isset($context['connectionId']) || isset($event['methodArn']) || isset($event['routeArn']);
        return match (true) {
            $isOther => throw \Lamella\Event\UnexpectedEvent::notHttp($event),
            isset($context['elb'], $event['httpMethod']) => self::fromLoadBalancer($event, $peerAddress),
            isset($context['http']['method']) => self::fromPayload2($event, $peerAddress),
            isset($event['httpMethod']) => self::fromPayload1($event, $peerAddress),
            default => throw \Lamella\Event\UnexpectedEvent::notHttp($event),
        };
    }

    /** Path and query, as in the first line of an HTTP request. */
    public function uri(): string
    {
        return $this->queryString === '' ? $this->path : "{$this->path}?{$this->queryString}";
    }

    /** The values of a header, joined. Names are case-insensitive. Returns '' if the header is missing. */
    public function header(string $name): string
    {
        $name = strtolower($name);
        $values = $this->headers[$name] ?? [];
        return count($values) === 1 ? $values[0] : implode($name === 'cookie' ? '; ' : ', ', $values);
    }

    /** The query as in PHP's `$_GET`. @return array<array-key, mixed> */
    public function query(): array
    {
        parse_str($this->queryString, $query);
        return $query;
    }

    /**
     * The cookies as in PHP's `$_COOKIE`: the first of several with the same name wins, and a plus sign is not decoded.
     *
     * @return array<array-key, mixed>
     */
    public function cookies(): array
    {
        $cookies = [];
        $count = 0;
        foreach (explode(';', $this->header('cookie')) as $pair) {
            [$name, $value] = explode('=', ltrim($pair, " \t\n\r\v\f"), 2) + [1 => ''];
            if ($name !== '' && ++$count <= (int) ini_get('max_input_vars')) {
                Variables::add($cookies, $name, rawurldecode($value), keepsFirst: true);
            }
        }
        return $cookies;
    }

    /** The host name that the client requested, without the port. */
    public function host(): string
    {
        $host = $this->header('host') ?: (string) ($this->event['requestContext']['domainName'] ?? '');
        // Most hosts have no port. Skip the regular expression for them.
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

    /** User name and password of `Authorization: Basic`. @return array{string, string}|null */
    public function basicCredentials(): ?array
    {
        if (preg_match('/^\s*Basic\s+(\S+)\s*$/i', $this->header('authorization'), $match) !== 1) {
            return null;
        }
        $decoded = base64_decode($match[1], true);
        return $decoded === false || !str_contains($decoded, ':') ? null : explode(':', $decoded, 2);
    }

    /** @param array<string, mixed> $event */
    private static function fromPayload2(array $event, string $peerAddress): self
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
            peerAddress: $peerAddress,
            multiple: false,
        );
    }

    /** @param array<string, mixed> $event */
    private static function fromPayload1(array $event, string $peerAddress): self
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
            peerAddress: $peerAddress,
            multiple: ($event['multiValueHeaders'] ?? null) !== null,
        );
    }

    /** A load balancer passes names and values of the query on without decoding them. */
    private static function fromLoadBalancer(array $event, string $peerAddress): self
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
            peerAddress: $peerAddress,
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
        string $peerAddress,
        bool $multiple,
    ): self {
        $body = (string) ($event['body'] ?? '');
        $decoded = ($event['isBase64Encoded'] ?? false) ? base64_decode($body, true) : $body;
        $body = (string) $decoded;
        $method = strtoupper($method);
        if ($body !== '' && $method === 'POST' && !isset($headers['content-type'])) {
            // Fills $_POST. Bref does the same.
            $headers['content-type'] = ['application/x-www-form-urlencoded'];
        }
        if ($body !== '' || isset($headers['content-length'])) {
            // The header of the client may be wrong, or count the encoded body.
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
            $peerAddress ?: $address ?: '127.0.0.1',
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

    /** On the API's own host the path begins with the name of the stage. On a custom domain it does not. */
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
