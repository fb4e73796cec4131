<?php

/** A running Lamella service, with the calls that tests make. Everything goes through the APIs that any client uses. */

declare(strict_types=1);

namespace Lamella\Testing;

final class Service
{
    private const FUNCTIONS = '/2015-03-31/functions';
    private const LAYERS = '/2018-10-31/layers';

    private static ?self $ofProcess = null;
    /** @var array<string, string> the built archives of layers */
    private array $built = [];

    public function __construct(public readonly string $url, public readonly string $region = 'us-east-1')
    {
    }

    /** The service of `lamella run`, or one that is started now and stopped when this process ends. */
    public static function ofProcess(): self
    {
        $given = getenv('AWS_ENDPOINT_URL');
        $region = getenv('AWS_REGION') ?: 'us-east-1';
        $isLocal = $given !== false && preg_match('#^http://(127\.|localhost[:/]|\[::1\])#', $given) === 1;
        return self::$ofProcess ??= new self($isLocal ? rtrim($given, '/') : Program::startService(), $region);
    }

    /**
     * Creates a function or updates it. Returns its ARN.
     *
     * @param string|null $directory the code, packed as by `lamella package`
     * @param string|array<string, string>|null $code the text of the handler's file, or files by path
     * @param list<string|array{name: string, directory?: string, zip?: string}> $layers ARNs, `php:8.4`, or the content of /opt
     * @param array<string, string> $environment
     * @param int $timeout seconds
     * @param int $memory MB
     */
    public function putFunction(
        string $name,
        ?string $directory = null,
        string|array|null $code = null,
        string $handler = 'index.php',
        string $runtime = 'provided.al2023',
        array $layers = ['php:8.4'],
        array $environment = [],
        int $timeout = 3,
        int $memory = 256,
    ): string {
        if (($directory === null) === ($code === null)) {
            throw new \InvalidArgumentException("The function {$name} needs its code in one of directory and code.");
        }
        $zip = $this->pack($directory ?? self::write(is_array($code) ? $code : [$handler => (string) $code]));
        $configuration = [
            'Runtime' => $runtime,
            'Handler' => $handler,
            'Role' => 'arn:aws:iam::123456789012:role/lamella',
            'Timeout' => $timeout,
            'MemorySize' => $memory,
            'Environment' => ['Variables' => (object) $environment],
            'Layers' => array_map($this->publishLayer(...), $layers),
        ];
        $path = self::FUNCTIONS . '/' . rawurlencode($name);
        try {
            $this->call('PUT', "{$path}/configuration", $configuration);
            return $this->call('PUT', "{$path}/code", ['ZipFile' => base64_encode($zip)])['FunctionArn'];
        } catch (ServiceError $error) {
            if ($error->name !== 'ResourceNotFoundException') {
                throw $error;
            }
        }
        $function = ['FunctionName' => $name, 'Code' => ['ZipFile' => base64_encode($zip)]];
        return $this->call('POST', self::FUNCTIONS, $function + $configuration)['FunctionArn'];
    }

    /**
     * Publishes a layer unless its newest version has the same content. Returns the ARN of the version.
     *
     * @param string|array{name: string, directory?: string, zip?: string} $layer
     */
    public function publishLayer(string|array $layer): string
    {
        if (is_string($layer) && str_starts_with($layer, 'arn:')) {
            return $layer;
        }
        $name = is_string($layer) ? preg_replace('/\W/', '-', $layer) : $layer['name'];
        $zip = match (true) {
            is_string($layer) => $this->built[$layer] ??= self::build($layer),
            isset($layer['zip']) => (string) file_get_contents($layer['zip']),
            default => $this->pack($layer['directory'] ?? throw new \InvalidArgumentException('A layer needs a directory or a zip.')),
        };
        $path = self::LAYERS . "/{$name}/versions";
        $newest = $this->call('GET', "{$path}?MaxItems=1")['LayerVersions'][0]['Version'] ?? null;
        if ($newest !== null) {
            $version = $this->call('GET', "{$path}/{$newest}");
            if ($version['Content']['CodeSha256'] === base64_encode(hash('sha256', $zip, true))) {
                return $version['LayerVersionArn'];
            }
        }
        return $this->call('POST', $path, ['Content' => ['ZipFile' => base64_encode($zip)]])['LayerVersionArn'];
    }

    /** Invokes a function with `payload` as JSON and waits for its response. */
    public function invoke(string $name, mixed $payload = null): Result
    {
        $path = self::FUNCTIONS . '/' . rawurlencode($name) . '/invocations';
        $body = $payload === null ? '' : json_encode($payload, JSON_THROW_ON_ERROR);
        [$status, $headers, $response] = $this->send('POST', $path, $body, 'lambda', ['X-Amz-Log-Type' => 'Tail']);
        $log = (string) base64_decode($headers['x-amz-log-result'] ?? '');
        $decoded = json_decode($response, true);
        return new Result(
            $status,
            $headers['x-amz-function-error'] ?? null,
            $decoded === null && $response !== 'null' ? $response : $decoded,
            $log,
            preg_match('/\bInit Duration: |"initDurationMs":/', $log) === 1,
            $headers['x-amzn-requestid'] ?? '',
        );
    }

    /**
     * The log of a function; empty if it has not been invoked.
     *
     * @param string $filter a filter pattern of CloudWatch Logs
     * @return list<string> messages in order of time, without line ends
     */
    public function logs(string $name, string $filter = ''): array
    {
        $messages = [];
        $input = ['logGroupName' => "/aws/lambda/{$name}"] + ($filter === '' ? [] : ['filterPattern' => $filter]);
        try {
            do {
                $headers = ['X-Amz-Target' => 'Logs_20140328.FilterLogEvents', 'Content-Type' => 'application/x-amz-json-1.1'];
                [, , $body] = $this->send('POST', '/', json_encode($input, JSON_THROW_ON_ERROR), 'logs', $headers);
                $page = json_decode($body, true);
                foreach ($page['events'] ?? [] as $event) {
                    $messages[] = rtrim($event['message'], "\r\n");
                }
                $input['nextToken'] = $page['nextToken'] ?? null;
            } while ($input['nextToken'] !== null);
        } catch (ServiceError $error) {
            if ($error->name !== 'ResourceNotFoundException') {
                throw $error;
            }
        }
        return $messages;
    }

    /** Moves the clock of retries, schedules and timeouts of queues ahead. */
    public function advanceClock(float $seconds): void
    {
        $this->call('POST', '/_lamella/clock', ['advanceSeconds' => $seconds]);
    }

    /** Removes everything but layers, and sets the clock to the present. */
    public function reset(): void
    {
        $this->call('POST', '/_lamella/reset');
    }

    /** @return array<string, mixed> */
    private function call(string $method, string $path, ?array $input = null): array
    {
        [, , $body] = $this->send($method, $path, $input === null ? '' : json_encode($input, JSON_THROW_ON_ERROR), 'lambda');
        return json_decode($body, true) ?? [];
    }

    /**
     * @param array<string, string> $headers
     * @return array{int, array<string, string>, string} the status, the headers by their names in lower case, the body
     */
    private function send(string $method, string $path, string $body, string $service, array $headers = []): array
    {
        // Only a service with --enforce-auth verifies signatures. Every service reads the region and the name of the API.
        $headers += [
            'Content-Type' => 'application/json',
            'X-Amz-Date' => gmdate('Ymd\THis\Z'),
            'Authorization' => 'AWS4-HMAC-SHA256 Credential=lamella/' . gmdate('Ymd')
                . "/{$this->region}/{$service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=" . str_repeat('0', 64),
        ];
        $lines = array_map(static fn (string $name, string $value): string => "{$name}: {$value}", array_keys($headers), $headers);
        $http = ['method' => $method, 'header' => $lines, 'content' => $body, 'ignore_errors' => true, 'timeout' => 900.0];
        $response = @file_get_contents($this->url . $path, false, stream_context_create(['http' => $http]));
        if ($response === false) {
            throw new ServiceError('ServiceUnreachable', "no response from {$this->url}");
        }
        $status = (int) explode(' ', $http_response_header[0])[1];
        $received = [];
        foreach (array_slice($http_response_header, 1) as $line) {
            [$name, $value] = explode(':', $line, 2) + [1 => ''];
            $received[strtolower($name)] = trim($value);
        }
        if ($status >= 400) {
            $error = json_decode($response, true) ?? [];
            $name = explode(':', $received['x-amzn-errortype'] ?? $error['__type'] ?? 'ServiceError')[0];
            $message = $error['message'] ?? $error['Message'] ?? $response;
            throw new ServiceError(substr((string) strrchr("#{$name}", '#'), 1), $message, $status);
        }
        return [$status, $received, $response];
    }

    private function pack(string $directory): string
    {
        $zip = Program::temporaryDirectory() . '/code.zip';
        Program::run('package', $directory, '-o', $zip);
        return (string) file_get_contents($zip);
    }

    /** Builds `php:8.4` or `node:22`. */
    private static function build(string $layer): string
    {
        if (preg_match('/^(php|node):([\d.]+)$/', $layer, $parts) !== 1) {
            throw new \InvalidArgumentException("Invalid layer \"{$layer}\": use an ARN, \"php:8.4\", \"node:22\" or an array.");
        }
        $zip = Program::temporaryDirectory() . '/layer.zip';
        Program::run('layer', 'build', $parts[1], '--version', $parts[2], '-o', $zip);
        return (string) file_get_contents($zip);
    }

    /** @param array<string, string> $files */
    private static function write(array $files): string
    {
        $directory = Program::temporaryDirectory();
        foreach ($files as $path => $content) {
            @mkdir(dirname("{$directory}/{$path}"), 0755, true);
            file_put_contents("{$directory}/{$path}", $content);
            chmod("{$directory}/{$path}", str_starts_with($content, '#!') ? 0755 : 0644);
        }
        return $directory;
    }
}
