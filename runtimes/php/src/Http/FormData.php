<?php

/**
 * The fields and files of a submitted form, as in PHP's `$_POST` and `$_FILES`, for applications in a process where PHP does
 * not parse them. Content types, limits and settings are those of PHP, malformed bodies included: `MultipartBody` reads them
 * like PHP's own parser. Uploads are stored in temporary files until `discard`.
 */

declare(strict_types=1);

namespace Lamella\Http;

final class FormData
{
    /** PHP reads uploads in pieces of this size. It checks the limits after each. */
    private const PIECE_BYTES = 5119;

    /** @var array<array-key, mixed> nested according to the names of the fields */
    public array $fields = [];
    /**
     * Nested in the same way, with one array (name, type, tmp_name, error, size) per file.
     *
     * @var array<array-key, mixed>
     */
    public array $files = [];
    /** @var list<string> */
    private array $temporary = [];
    private readonly int $processId;

    /** Parses the body of a POST with one of the two content types of forms. Empty for any other request. */
    public static function of(Request $request): self
    {
        $form = new self();
        $contentType = $request->header('content-type');
        $type = strtolower(substr($contentType, 0, strcspn($contentType, ';, ')));
        $isForm = $type === 'application/x-www-form-urlencoded' || $type === 'multipart/form-data';
        if ($request->method !== 'POST' || !$isForm || ini_get('enable_post_data_reading') === '0') {
            return $form;
        }
        $limit = ini_parse_quantity((string) ini_get('post_max_size'));
        $length = strlen($request->body);
        if ($limit > 0 && $length > $limit) {
            self::warn("POST Content-Length of {$length} bytes exceeds the limit of {$limit} bytes");
        } elseif ($type === 'multipart/form-data') {
            $form->readParts($request->body, $contentType);
        } else {
            $form->readPairs($request->body);
        }
        return $form;
    }

    public function __construct()
    {
        $this->processId = getmypid();
    }

    public function __destruct()
    {
        // Not in a child process that the handler forked.
        if (getmypid() === $this->processId) {
            $this->discard();
        }
    }

    /** Removes the temporary files that the application has not moved. */
    public function discard(): void
    {
        foreach ($this->temporary as $file) {
            if (is_file($file)) {
                unlink($file);
            }
        }
        $this->temporary = [];
    }

    private function readPairs(string $body): void
    {
        $limit = (int) ini_get('max_input_vars');
        // PHP counts empty pairs too. It notices the limit after the first pair that exceeds it.
        $pairs = explode('&', $body, $limit + 2);
        $text = implode('&', array_slice($pairs, 0, $limit));
        // parse_str() also splits at the other separators of queries, and ends at a NUL.
        $separators = (string) ini_get('arg_separator.input');
        foreach (str_split(str_replace('&', '', $separators) . "\0") as $other) {
            $text = str_replace($other, rawurlencode($other), $text);
        }
        parse_str(str_contains($separators, '&') ? $text : str_replace('&', $separators[0], $text), $this->fields);
        if (count($pairs) > $limit && implode('', array_slice($pairs, $limit)) !== '') {
            [$name, $value] = explode('=', $pairs[$limit], 2) + [1 => ''];
            Variables::add($this->fields, urldecode($name), urldecode($value));
            self::warn("Input variables exceeded {$limit}. To increase the limit change max_input_vars in php.ini.");
        }
    }

    private function readParts(string $body, string $contentType): void
    {
        $multipart = MultipartBody::open($body, $contentType);
        if (is_string($multipart)) {
            self::warn($multipart);
            return;
        }
        $maxVariables = (int) ini_get('max_input_vars');
        $uploads = (int) ini_get('max_file_uploads');
        $maxParts = (int) ini_get('max_multipart_body_parts');
        $maxParts = $maxParts < 0 || ini_get('max_multipart_body_parts') === false ? $maxVariables + $uploads : $maxParts;
        $maxFileSize = $parts = $variables = $unnamed = 0;
        $uploaded = [];
        $isMalformed = false;
        while (($part = $multipart->next()) !== null) {
            if ($part === []) {
                continue;
            }
            if (++$parts > $maxParts) {
                self::warn("Multipart body parts limit exceeded {$maxParts}. To increase the limit change "
                    . 'max_multipart_body_parts in php.ini.');
                break;
            }
            ['name' => $name, 'filename' => $fileName, 'type' => $type] = $part;
            if ($fileName === null && $name !== null) {
                $value = $multipart->content()[0];
                if (++$variables <= $maxVariables) {
                    Variables::add($this->fields, $name, $value);
                } elseif ($variables === $maxVariables + 1) {
                    self::warn("Input variables exceeded {$maxVariables}. To increase the limit change max_input_vars in "
                        . 'php.ini.');
                }
                if (strcasecmp($name, 'MAX_FILE_SIZE') === 0) {
                    $maxFileSize = preg_match('/^\s*[+-]?\d+/', $value, $match) === 1 ? (int) $match[0] : 0;
                }
                continue;
            }
            $isEnabled = !in_array(strtolower((string) ini_get('file_uploads')), ['', '0', 'off', 'no', 'false'], true);
            if ($isEnabled && $uploads === 0) {
                self::warn('Maximum number of allowable file uploads has been exceeded');
                $uploads = -1;
            }
            if ($fileName === null) {
                self::warn('File Upload Mime headers garbled');
                break;
            }
            $name ??= (string) $unnamed++;
            // After one malformed name PHP skips all other files too.
            $isMalformed = $isMalformed || !self::isWellFormed($name);
            if (!$isEnabled || $uploads <= 0 || $isMalformed) {
                continue;
            }
            if ($fileName !== '') {
                $uploads--;
            }
            $content = $fileName === '' ? ['', true] : $multipart->content();
            Variables::add($this->files, self::normalized($name), count($uploaded), levels: 1);
            $uploaded[] = $this->store($fileName, $type, $content, $maxFileSize);
        }
        array_walk_recursive($this->files, static function (mixed &$index) use ($uploaded): void {
            $index = $uploaded[$index];
        });
    }

    /**
     * @param array{string, bool} $content the content, and whether it is complete
     * @return array{name: string, full_path: string, type: string, tmp_name: string, error: int, size: int}
     */
    private function store(string $fileName, string $type, array $content, int $maxFileSize): array
    {
        [$bytes, $isComplete] = $content;
        $base = substr($fileName, (int) max(strrpos("/{$fileName}", '/'), strrpos("\\{$fileName}", '\\')));
        $file = ['name' => $base, 'full_path' => $fileName, 'type' => '', 'tmp_name' => '', 'error' => 0, 'size' => 0];
        $error = match (true) {
            $fileName === '' => UPLOAD_ERR_NO_FILE,
            default => self::exceeded(strlen($bytes), $maxFileSize) ?? ($isComplete ? UPLOAD_ERR_OK : UPLOAD_ERR_PARTIAL),
        };
        if ($error !== UPLOAD_ERR_OK) {
            return ['error' => $error] + $file;
        }
        $temporary = @tempnam(ini_get('upload_tmp_dir') ?: sys_get_temp_dir(), 'php');
        if ($temporary === false) {
            self::warn('File upload error - unable to create a temporary file');
            return ['error' => UPLOAD_ERR_NO_TMP_DIR] + $file;
        }
        $this->temporary[] = $temporary;
        if (@file_put_contents($temporary, $bytes) !== strlen($bytes)) {
            return ['error' => UPLOAD_ERR_CANT_WRITE] + $file;
        }
        return ['type' => $type, 'tmp_name' => $temporary, 'size' => strlen($bytes)] + $file;
    }

    /** The error of the limit that PHP notices first; null if the file is within the limits. */
    private static function exceeded(int $bytes, int $maxFileSize): ?int
    {
        $maxUpload = ini_parse_quantity((string) ini_get('upload_max_filesize'));
        for ($read = min($bytes, self::PIECE_BYTES); $read > 0; $read = min($bytes, $read + self::PIECE_BYTES)) {
            if ($maxUpload > 0 && $read > $maxUpload) {
                return UPLOAD_ERR_INI_SIZE;
            }
            if ($maxFileSize !== 0 && $read > $maxFileSize) {
                return UPLOAD_ERR_FORM_SIZE;
            }
            if ($read === $bytes) {
                break;
            }
        }
        return null;
    }

    /** PHP skips files whose name has brackets that do not match, or text between them. */
    private static function isWellFormed(string $name): bool
    {
        $open = 0;
        for ($at = 0, $length = strlen($name); $at < $length; $at++) {
            if ($name[$at] === '[') {
                $open++;
            } elseif ($name[$at] === ']' && (--$open < 0 || ($at + 1 < $length && $name[$at + 1] !== '['))) {
                return false;
            }
        }
        return $open === 0;
    }

    /** Only in the names of uploads, PHP ignores space at the beginning of an index. */
    private static function normalized(string $name): string
    {
        return preg_replace('/\[[ \r\n\t]+/', '[', $name);
    }

    private static function warn(string $text): void
    {
        error_log("PHP Warning:  {$text}");
    }
}
