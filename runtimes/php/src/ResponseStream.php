<?php

/**
 * A streamed response. A handler gets one by declaring a parameter of this type; its return value is then ignored. Nothing is
 * sent before the first write, so an error before it is reported as an ordinary error. A caller that did not ask for a stream
 * gets the whole response at the end.
 */

declare(strict_types=1);

namespace Lamella;

final class ResponseStream
{
    /** Separates the JSON prelude of an HTTP response from its body. */
    private const PRELUDE_END = "\0\0\0\0\0\0\0\0";

    private bool $hasBegun = false;
    private string $contentType = 'application/octet-stream';

    public function __construct(private readonly RuntimeApi $api, private readonly string $requestId)
    {
    }

    /** Sets the content type. Has no effect after the first write. */
    public function contentType(string $contentType): void
    {
        $this->contentType = $contentType;
    }

    /**
     * Sends status, headers and cookies of an HTTP response, for function URLs. Throws LogicException after the first write.
     *
     * @param array<string, string> $headers
     * @param list<string> $cookies
     */
    public function http(int $statusCode, array $headers = [], array $cookies = []): void
    {
        if ($this->hasBegun) {
            throw new \LogicException('Cannot set status and headers: the body has begun. Call http() before write().');
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

    /** The runtime calls it after the handler. */
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
