<?php

/**
 * Converts requests and responses to and from PSR-7, with any implementation in the project that has PSR-17 factories.
 * https://www.php-fig.org/psr/psr-7/
 */

declare(strict_types=1);

namespace Lamella\Http;

use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestInterface;

final class Psr7
{
    /** Factories for server requests, streams and uploaded files. */
    private const FACTORIES = [
        ['Nyholm\\Psr7\\Factory\\Psr17Factory', 'Nyholm\\Psr7\\Factory\\Psr17Factory', 'Nyholm\\Psr7\\Factory\\Psr17Factory'],
        ['GuzzleHttp\\Psr7\\HttpFactory', 'GuzzleHttp\\Psr7\\HttpFactory', 'GuzzleHttp\\Psr7\\HttpFactory'],
        ['Slim\\Psr7\\Factory\\ServerRequestFactory', 'Slim\\Psr7\\Factory\\StreamFactory', 'Slim\\Psr7\\Factory\\UploadedFileFactory'],
        ['Laminas\\Diactoros\\ServerRequestFactory', 'Laminas\\Diactoros\\StreamFactory', 'Laminas\\Diactoros\\UploadedFileFactory'],
        ['HttpSoft\\Message\\ServerRequestFactory', 'HttpSoft\\Message\\StreamFactory', 'HttpSoft\\Message\\UploadedFileFactory'],
    ];
    private const PIECE_BYTES = 65536;

    private readonly object $requests;
    private readonly object $streams;
    private readonly object $files;

    /** Throws if the project has no implementation of PSR-7. */
    public function __construct()
    {
        foreach (self::FACTORIES as [$requests, $streams, $files]) {
            if (class_exists($requests) && class_exists($streams) && class_exists($files)) {
                $this->requests = new $requests();
                $this->streams = new $streams();
                $this->files = new $files();
                return;
            }
        }
        throw new \RuntimeException('A PSR-15 handler needs an implementation of PSR-7 with factories. Install one, for '
            . 'example: composer require nyholm/psr7. Not found: '
            . implode(', ', array_column(self::FACTORIES, 0)) . '.');
    }

    /**
     * The attribute `lambda-event` holds the event, `lambda-context` its context (Bref's class if the project has it). Each
     * path parameter is an attribute too.
     */
    public function request(Request $request, FormData $form, \Lamella\Context $context): ServerRequestInterface
    {
        $scheme = $request->isSecure() ? 'https' : 'http';
        $port = $request->port() === ($request->isSecure() ? 443 : 80) ? '' : ":{$request->port()}";
        $uri = "{$scheme}://{$request->host()}{$port}{$request->uri()}";
        $server = ServerVariables::of($request, '', '') + ServerVariables::authentication($request)
            + ServerVariables::ofLambda($request, $context);
        $psr = $this->requests->createServerRequest($request->method, $uri, $server)
            ->withProtocolVersion(str_replace('HTTP/', '', $request->protocol))
            ->withQueryParams(self::query($request))
            ->withCookieParams($request->cookies())
            ->withBody($this->streams->createStream($request->body))
            ->withUploadedFiles($this->uploaded($form->files))
            ->withAttribute('lambda-event', $request->event)
            ->withAttribute('lambda-context', $context->inProject());
        foreach ($request->headers as $name => $values) {
            try {
                $psr = $psr->withHeader((string) $name, $values);
            } catch (\InvalidArgumentException) {
                // Not a valid HTTP header. It remains available in the event.
            }
        }
        foreach ((array) ($request->event['pathParameters'] ?? []) as $name => $value) {
            $psr = $psr->withAttribute((string) $name, $value);
        }
        return $form->fields === [] && $form->files === [] ? $psr : $psr->withParsedBody($form->fields);
    }

    public static function response(ResponseInterface $response, ?\Closure $afterResponse = null): Response
    {
        $body = $response->getBody();
        // A body without a size is generated while it is read.
        $content = $body->getSize() === null ? self::pieces($body) : (string) $body;
        return new Response($response->getStatusCode(), $response->getHeaders(), $content, $afterResponse);
    }

    /** @return \Generator<string> */
    public static function pieces(\Psr\Http\Message\StreamInterface $body): \Generator
    {
        if ($body->isSeekable()) {
            $body->rewind();
        }
        while (!$body->eof()) {
            yield $body->read(self::PIECE_BYTES);
        }
    }

    /**
     * Like `$_GET`, but names keep their dots, which PHP replaces because variables cannot have them. Bref keeps them too.
     *
     * @return array<array-key, mixed>
     */
    private static function query(Request $request): array
    {
        if (preg_match('/\.|%2e/i', $request->queryString) !== 1) {
            return $request->query();
        }
        // The part of a name before its first bracket is hex-encoded, so that parse_str() does not change it.
        $safe = preg_replace_callback(
            '/(?<=^|&)[^=&[]+/',
            static fn (array $name) => 'x' . bin2hex(rawurldecode(strtr($name[0], '+', ' '))),
            str_ireplace(['%5B', '%5D'], ['[', ']'], $request->queryString),
        );
        parse_str($safe, $query);
        $names = preg_replace_callback(
            '/^x((?:[0-9a-f]{2})+)/',
            static fn (array $name) => hex2bin($name[1]),
            array_map(strval(...), array_keys($query)),
        );
        return array_combine($names, $query);
    }

    private function uploaded(array $files): array
    {
        return array_map(fn (array $file) => isset($file['tmp_name'], $file['error']) && !is_array($file['error'])
            ? $this->files->createUploadedFile(
                $file['error'] === UPLOAD_ERR_OK
                    ? $this->streams->createStreamFromFile($file['tmp_name'])
                    : $this->streams->createStream(''),
                $file['size'],
                $file['error'],
                $file['name'],
                // Same default as Bref.
                $file['type'] ?: 'application/octet-stream',
            )
            : $this->uploaded($file), $files);
    }
}
