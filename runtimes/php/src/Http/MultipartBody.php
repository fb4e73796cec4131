<?php

/**
 * The parts of a multipart/form-data body, read line by line like PHP's own parser, so that malformed bodies have the same
 * meaning in a booted application as under php-fpm: a line break without CR, text around the boundary, a missing end.
 * https://github.com/php/php-src/blob/master/main/rfc1867.c, https://www.rfc-editor.org/rfc/rfc7578
 */

declare(strict_types=1);

namespace Lamella\Http;

final class MultipartBody
{
    /** PHP's buffer. A longer line counts as several. */
    private const MAX_LINE_BYTES = 5120;

    private const SPACE = " \t\n\r\v\f";

    private int $at = 0;
    private readonly int $lineBytes;

    private function __construct(private readonly string $body, private readonly string $boundary)
    {
        $this->lineBytes = max(self::MAX_LINE_BYTES, strlen($boundary) + 8);
    }

    /** Returns the message of an error as a string. */
    public static function open(string $body, string $contentType): self|string
    {
        $at = stripos($contentType, 'boundary');
        // PHP prefers the spelling in lower case.
        $at = strpos($contentType, 'boundary') ?: $at;
        $equals = $at === false ? false : strpos($contentType, '=', $at);
        if ($equals === false) {
            return 'Missing boundary in multipart/form-data POST data';
        }
        $boundary = substr($contentType, $equals + 1);
        if (str_starts_with($boundary, '"')) {
            $end = strpos($boundary, '"', 1);
            return $end === false
                ? 'Invalid boundary in multipart/form-data POST data'
                : new self($body, substr($boundary, 1, $end - 1));
        }
        return new self($body, substr($boundary, 0, strcspn($boundary, ',;')));
    }

    /**
     * Moves to the next part. Its content, if it is needed, must be read next.
     *
     * @return array{name: ?string, filename: ?string, type: string}|array{}|null empty for a part without a disposition; null
     *     at the end
     */
    public function next(): ?array
    {
        do {
            $line = $this->line();
            if ($line === null) {
                return null;
            }
        } while ($line !== "--{$this->boundary}");
        $headers = $this->headers();
        $disposition = $headers['content-disposition'] ?? null;
        if ($disposition === null) {
            return [];
        }
        $type = $headers['content-type'] ?? '';
        return self::parameters($disposition) + ['type' => substr($type, 0, strcspn($type, ';'))];
    }

    /** @return array{string, bool} the content, and whether a boundary ends it */
    public function content(): array
    {
        $delimiter = "\n--{$this->boundary}";
        $end = strpos($this->body, $delimiter, $this->at);
        $isComplete = $end !== false;
        // Without a boundary the content ends before what may be the beginning of one.
        for ($length = strlen($delimiter) - 1; $end === false && $length > 0; $length--) {
            if (substr_compare($this->body, substr($delimiter, 0, $length), -$length) === 0) {
                $end = max($this->at, strlen($this->body) - $length);
            }
        }
        $content = substr($this->body, $this->at, $end === false ? null : $end - $this->at);
        $this->at += strlen($content);
        return [$end !== false && str_ends_with($content, "\r") ? substr($content, 0, -1) : $content, $isComplete];
    }

    /** The next line without its line break, up to the first NUL; null if the body ends before. */
    private function line(): ?string
    {
        $end = strpos($this->body, "\n", $this->at);
        if ($end !== false && $end - $this->at < $this->lineBytes) {
            $line = substr($this->body, $this->at, $end - $this->at);
            $this->at = $end + 1;
            $line = str_ends_with($line, "\r") ? substr($line, 0, -1) : $line;
        } elseif (strlen($this->body) - $this->at >= $this->lineBytes) {
            $line = substr($this->body, $this->at, $this->lineBytes);
            $this->at += $this->lineBytes;
        } else {
            return null;
        }
        return explode("\0", $line, 2)[0];
    }

    /** @return array<string, string> the first of each name, in lower case */
    private function headers(): array
    {
        $headers = [];
        $name = null;
        $value = '';
        while (($line = $this->line()) !== null && $line !== '') {
            $colon = strspn($line, self::SPACE, 0, 1) === 1 ? false : strpos($line, ':');
            if ($colon !== false) {
                if ($name !== null) {
                    $headers += [$name => $value];
                }
                $name = strtolower(substr($line, 0, $colon));
                $value = ltrim(substr($line, $colon + 1), self::SPACE);
            } elseif ($name !== null) {
                $value .= $line;
            }
        }
        return $name === null ? $headers : $headers + [$name => $value];
    }

    /** @return array{name: ?string, filename: ?string} */
    private static function parameters(string $header): array
    {
        $parameters = ['name' => null, 'filename' => null];
        $rest = ltrim($header, self::SPACE);
        while ($rest !== '') {
            $pair = self::word($rest, ';');
            $rest = ltrim($rest, self::SPACE);
            if (str_contains($pair, '=')) {
                $key = strtolower(self::word($pair, '='));
                if (array_key_exists($key, $parameters)) {
                    $parameters[$key] = self::value($pair);
                }
            }
        }
        return $parameters;
    }

    /** Cuts off the text up to `$stop`, which does not count within quotes. */
    private static function word(string &$text, string $stop): string
    {
        $length = strlen($text);
        for ($at = 0; $at < $length && $text[$at] !== $stop; $at++) {
            $quote = $text[$at];
            if ($quote === '"' || $quote === "'") {
                for ($at++; $at < $length && $text[$at] !== $quote; $at++) {
                    if ($text[$at] === '\\' && ($text[$at + 1] ?? '') === $quote) {
                        $at++;
                    }
                }
            }
        }
        $at = min($at, $length);
        $word = substr($text, 0, $at);
        $text = ltrim(substr($text, $at), $stop);
        return $word;
    }

    private static function value(string $text): string
    {
        $text = ltrim($text, self::SPACE);
        $quote = $text === '' ? '' : $text[0];
        if ($quote === '"' || $quote === "'") {
            $text = substr($text, 1);
        } else {
            $quote = '';
            $text = substr($text, 0, strcspn($text, self::SPACE));
        }
        $value = '';
        for ($at = 0, $length = strlen($text); $at < $length && $text[$at] !== $quote; $at++) {
            $next = $text[$at + 1] ?? '';
            if ($text[$at] === '\\' && ($next === '\\' || ($quote !== '' && $next === $quote))) {
                $at++;
            }
            $value .= $text[$at];
        }
        return $value;
    }
}
