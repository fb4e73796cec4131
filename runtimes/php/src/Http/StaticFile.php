<?php

/** Sends a file unchanged, with its media type. Supports conditional and range requests. */

declare(strict_types=1);

namespace Lamella\Http;

final class StaticFile
{
    private const TYPES = [
        'aac' => 'audio/aac', 'atom' => 'application/atom+xml', 'avif' => 'image/avif', 'bmp' => 'image/bmp',
        'css' => 'text/css; charset=utf-8', 'csv' => 'text/csv; charset=utf-8', 'eot' => 'application/vnd.ms-fontobject',
        'epub' => 'application/epub+zip', 'flac' => 'audio/flac', 'gif' => 'image/gif', 'gz' => 'application/gzip',
        'htm' => 'text/html; charset=utf-8', 'html' => 'text/html; charset=utf-8', 'ico' => 'image/vnd.microsoft.icon',
        'ics' => 'text/calendar; charset=utf-8', 'jpeg' => 'image/jpeg', 'jpg' => 'image/jpeg',
        'js' => 'text/javascript; charset=utf-8', 'json' => 'application/json', 'jsonld' => 'application/ld+json',
        'map' => 'application/json', 'md' => 'text/markdown; charset=utf-8', 'mjs' => 'text/javascript; charset=utf-8',
        'mp3' => 'audio/mpeg', 'mp4' => 'video/mp4', 'oga' => 'audio/ogg', 'ogg' => 'audio/ogg', 'ogv' => 'video/ogg',
        'otf' => 'font/otf', 'pdf' => 'application/pdf', 'png' => 'image/png', 'rss' => 'application/rss+xml',
        'rtf' => 'application/rtf', 'svg' => 'image/svg+xml', 'tif' => 'image/tiff', 'tiff' => 'image/tiff',
        'ttf' => 'font/ttf', 'txt' => 'text/plain; charset=utf-8', 'wasm' => 'application/wasm', 'wav' => 'audio/wav',
        'weba' => 'audio/webm', 'webm' => 'video/webm', 'webmanifest' => 'application/manifest+json',
        'webp' => 'image/webp', 'woff' => 'font/woff', 'woff2' => 'font/woff2', 'xhtml' => 'application/xhtml+xml',
        'xml' => 'application/xml', 'xsl' => 'application/xml', 'zip' => 'application/zip',
    ];

    public static function response(Request $request, string $file): Response
    {
        if ($request->method !== 'GET' && $request->method !== 'HEAD') {
            return new Response(405, ['Allow' => 'GET, HEAD']);
        }
        $size = filesize($file);
        $modified = filemtime($file);
        $tag = sprintf('"%x-%x"', $modified, $size);
        $headers = [
            'Content-Type' => self::TYPES[strtolower(pathinfo($file, PATHINFO_EXTENSION))] ?? 'application/octet-stream',
            'Last-Modified' => gmdate('D, d M Y H:i:s', $modified) . ' GMT',
            'ETag' => $tag,
            'Accept-Ranges' => 'bytes',
        ];
        if (self::isKnown($request, $tag, $modified)) {
            unset($headers['Content-Type']);
            return new Response(304, $headers);
        }
        $range = preg_match('/^bytes=(\d*)-(\d*)$/', $request->header('range'), $match) === 1 ? $match : null;
        if ($range === null || ($range[1] === '' && $range[2] === '') || $request->method === 'HEAD') {
            // HEAD has no body, but the header states its length.
            return $request->method === 'HEAD'
                ? new Response(200, $headers + ['Content-Length' => (string) $size])
                : new Response(200, $headers, (string) file_get_contents($file));
        }
        [$from, $to] = $range[1] === ''
            ? [max(0, $size - (int) $range[2]), $size - 1]
            : [(int) $range[1], $range[2] === '' ? $size - 1 : min($size - 1, (int) $range[2])];
        if ($from > $to) {
            return new Response(416, ['Content-Range' => "bytes */{$size}"]);
        }
        $part = (string) file_get_contents($file, false, null, $from, $to - $from + 1);
        return new Response(206, $headers + ['Content-Range' => "bytes {$from}-{$to}/{$size}"], $part);
    }

    private static function isKnown(Request $request, string $tag, int $modified): bool
    {
        $tags = $request->header('if-none-match');
        if ($tags !== '') {
            return $tags === '*' || in_array($tag, preg_split('/\s*,\s*(?:W\/)?/', "W/{$tags}" === "W/{$tag}" ? $tag : $tags), true);
        }
        $since = strtotime($request->header('if-modified-since'));
        return $since !== false && $since >= $modified;
    }
}
