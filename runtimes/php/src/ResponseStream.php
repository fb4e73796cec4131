<?php

/**
 * A response that is sent while it is made. A handler has one by declaring a parameter of this type; what it returns is
 * then ignored. Nothing is sent before the first write, so until then an error is still an ordinary error. A caller that
 * did not ask for a stream gets all of it at the end.
 */

declare(strict_types=1);

namespace Lamella;

final class ResponseStream
{
    /** AWS's separator between the JSON that describes an HTTP response and its body. */
    private const PRELUDE_END = "\0\0\0\0\0\0\0\0";

    private bool $hasBegun = false;
    private string $contentType = 'application/octet-stream';

    public function __construct(private readonly RuntimeApi $api, private readonly string $requestId)
    {
    }

    /** Takes effect only before the first write. */
    public function contentType(string $contentType): void
    {
        $this->contentType = $contentType;
    }

    /**
     * Makes it an HTTP response, for function URLs. Before the first write.
     *
     * @param array<string, string> $headers
     * @param list<string> $cookies
     */
    public function http(int $statusCode, array $headers = [], array $cookies = []): void
    {
        if ($this->hasBegun) {
            throw new \LogicException('Status and headers come before the body, and the body has begun.');
        }
        $this->contentType = 'application/vnd.awslambda.http-integration-response';
        $prelude = ['statusCode' => $statusCode, 'headers' => (object) $headers, 'cookies' => $cookies];
        $this->write(json_encode($prelude, Handler::JSON_OUT) . self::PRELUDE_END);
    }

    public function write(string $bytes): void
    {
        $this->begin();
        $this->api->writeChunk($bytes);
    }

    /** Called by the runtime after the handler. */
    public function end(): void
    {
        $this->begin();
        $this->api->endStream();
    }

    private function begin(): void
    {
        if (!$this->hasBegun) {
            $this->hasBegun = true;
            $this->api->beginStream($this->requestId, $this->contentType);
        }
    }
}
