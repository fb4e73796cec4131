<?php

/**
 * The fields and files of a submitted form, as in PHP's `$_POST` and `$_FILES`, for applications in a process where PHP does
 * not parse them. Uploads are stored in temporary files until `discard`.
 * https://www.rfc-editor.org/rfc/rfc7578
 */

declare(strict_types=1);

namespace Lamella\Http;

final class FormData
{
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
        $type = $request->header('content-type');
        if ($request->method !== 'POST') {
            return $form;
        }
        if (stripos($type, 'application/x-www-form-urlencoded') === 0) {
            parse_str($request->body, $form->fields);
        } elseif (preg_match('~^multipart/form-data\b.*?;\s*boundary=(?:"([^"]+)"|([^;,\s]+))~is', $type, $match) === 1) {
            $form->readParts($request->body, $match[1] !== '' ? $match[1] : $match[2]);
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

    private function readParts(string $body, string $boundary): void
    {
        $maxFiles = (int) ini_get('max_file_uploads');
        $maxBytes = ini_parse_quantity((string) ini_get('upload_max_filesize'));
        $query = [];
        $files = [];
        $parts = explode("\r\n--{$boundary}", "\r\n{$body}");
        foreach (array_slice($parts, 1) as $part) {
            if (str_starts_with($part, '--')) {
                break;
            }
            [$head, $content] = explode("\r\n\r\n", $part, 2) + [1 => ''];
            $disposition = self::header($head, 'content-disposition');
            $name = self::parameter($disposition, 'name');
            if ($name === null || $name === '') {
                continue;
            }
            $fileName = self::parameter($disposition, 'filename');
            if ($fileName === null) {
                $query[] = urlencode($name) . '=' . urlencode($content);
            } elseif (count($files) < $maxFiles) {
                $type = self::header($head, 'content-type');
                $files[] = [$name, $this->store($fileName, $type, $content, $maxBytes)];
            }
        }
        parse_str(implode('&', $query), $this->fields);
        $this->nestFiles($files);
    }

    /** @return array{name: string, full_path: string, type: string, tmp_name: string, error: int, size: int} */
    private function store(string $fileName, string $type, string $content, int $maxBytes): array
    {
        $base = basename(strtr($fileName, '\\', '/'));
        $file = ['name' => $base, 'full_path' => $fileName, 'type' => $type, 'tmp_name' => '', 'error' => 0, 'size' => 0];
        if ($fileName === '') {
            return ['error' => UPLOAD_ERR_NO_FILE, 'type' => ''] + $file;
        }
        if ($maxBytes > 0 && strlen($content) > $maxBytes) {
            return ['error' => UPLOAD_ERR_INI_SIZE, 'type' => ''] + $file;
        }
        $temporary = tempnam(ini_get('upload_tmp_dir') ?: sys_get_temp_dir(), 'php');
        if ($temporary === false || file_put_contents($temporary, $content) !== strlen($content)) {
            return ['error' => UPLOAD_ERR_CANT_WRITE] + $file;
        }
        $this->temporary[] = $temporary;
        return ['tmp_name' => $temporary, 'size' => strlen($content)] + $file;
    }

    /**
     * `parse_str` implements the nesting of names. It parses numbers, which are then replaced by the files.
     *
     * @param list<array{string, array<string, mixed>}> $files
     */
    private function nestFiles(array $files): void
    {
        $query = [];
        foreach ($files as $index => [$name]) {
            $query[] = urlencode($name) . "={$index}";
        }
        parse_str(implode('&', $query), $this->files);
        array_walk_recursive($this->files, static function (mixed &$place) use ($files): void {
            $place = $files[(int) $place][1];
        });
    }

    private static function header(string $head, string $name): string
    {
        return preg_match("/^{$name}:[ \t]*(.*?)[ \t]*\r?$/im", $head, $match) === 1 ? $match[1] : '';
    }

    private static function parameter(string $header, string $name): ?string
    {
        // Browsers encode a quote in a value as %22, some clients as \".
        $pattern = '/;\s*' . $name . '=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\s]*))/i';
        if (preg_match($pattern, $header, $match) !== 1) {
            return null;
        }
        return isset($match[2]) ? $match[2] : str_replace('\\"', '"', $match[1]);
    }
}
