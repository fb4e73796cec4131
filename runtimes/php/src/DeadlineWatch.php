<?php

/**
 * The second process, which wakes shortly before an invocation times out. It sends SIGALRM to PHP. If PHP does not react, it
 * logs PHP's open connections. It is forked before the project's code is loaded, which takes a quarter of the time that
 * starting a program would. It ends when the other end of its lifeline is closed, for example because PHP died.
 */

declare(strict_types=1);

namespace Lamella;

final class DeadlineWatch
{
    /** How long PHP has to react to the signal. */
    private const SIGNAL_GRACE_MS = 30;
    private const CONNECTION_STATES = ['01' => 'connected', '02' => 'connecting'];

    /**
     * @param resource $shared a file with the deadline (milliseconds since 1970) and request ID of the last invocation
     * @param resource $lifeline
     */
    public function __construct(
        private $shared,
        private $lifeline,
        private readonly int $php,
        private readonly int $reservedMs,
        private readonly Settings $settings,
    ) {
    }

    /** @param int $periodMs how long to sleep when there is no invocation */
    public function run(int $periodMs): void
    {
        $done = 0;
        do {
            [$deadlineMs, $requestId] = $this->current();
            $now = (int) (microtime(true) * 1000);
            $sleepMs = $deadlineMs - $this->reservedMs - $now;
            if ($deadlineMs !== $done && $sleepMs <= 0) {
                if ($deadlineMs > $now) {
                    $this->signal($deadlineMs, $requestId);
                }
                $done = $deadlineMs;
            }
            // Without an invocation it sleeps for the longest time seen, because the next invocation has at least that long.
            $sleepMs = $deadlineMs === $done ? $periodMs : $sleepMs;
            $periodMs = max($periodMs, $sleepMs);
        } while (!Deadline::endsWithin($sleepMs, $this->lifeline));
    }

    /** @return array{int, string} */
    private function current(): array
    {
        rewind($this->shared);
        [$deadlineMs, $requestId] = explode(' ', (string) fgets($this->shared), 2) + [1 => ''];
        return [(int) $deadlineMs, trim($requestId)];
    }

    private function signal(int $deadlineMs, string $requestId): void
    {
        if (function_exists('posix_kill')) {
            posix_kill($this->php, SIGALRM);
        } elseif (($child = pcntl_fork()) === 0) {
            // Without the extension posix only another program can send a signal.
            pcntl_exec('/bin/sh', ['-c', "kill -ALRM {$this->php}"]);
            exit(1);
        } elseif ($child > 0) {
            pcntl_waitpid($child, $status);
        }
        usleep(self::SIGNAL_GRACE_MS * 1000);
        if ($this->current()[0] === $deadlineMs) {
            $this->log($requestId, 'The function is about to time out, and PHP is waiting in a call that cannot be '
                . 'interrupted. Connections: ' . (implode(', ', $this->connections()) ?: 'none')
                . '. Set a timeout on that client.');
        }
    }

    /** @return list<string> */
    private function connections(): array
    {
        $sockets = array_map(static fn (string $file) => (string) @readlink($file), glob("/proc/{$this->php}/fd/*") ?: []);
        $found = [];
        foreach (['tcp', 'tcp6'] as $family) {
            foreach (array_slice(@file("/proc/{$this->php}/net/{$family}") ?: [], 1) as $line) {
                $fields = preg_split('/\s+/', trim($line));
                $what = self::CONNECTION_STATES[$fields[3]] ?? null;
                $address = self::address($fields[2]);
                if ($what !== null && $address !== $this->settings->runtimeApi && in_array("socket:[{$fields[9]}]", $sockets, true)) {
                    $found[] = "{$address} ({$what})";
                }
            }
        }
        return $found;
    }

    /** @param string $hexadecimal address and port; the address consists of little-endian 32-bit words */
    private static function address(string $hexadecimal): string
    {
        [$address, $port] = explode(':', $hexadecimal);
        $bytes = implode('', array_map(static fn (string $word) => strrev(hex2bin($word)), str_split($address, 8)));
        $text = inet_ntop($bytes);
        return (strlen($bytes) === 4 ? $text : "[{$text}]") . ':' . hexdec($port);
    }

    private function log(string $requestId, string $text): void
    {
        $now = gmdate('Y-m-d\TH:i:s.') . sprintf('%03dZ', (int) (microtime(true) * 1000) % 1000);
        $line = $this->settings->logsJson
            ? json_encode(['timestamp' => $now, 'level' => 'WARN', 'requestId' => $requestId, 'message' => $text])
            : "{$requestId}\tWARN\t{$text}";
        file_put_contents('php://stderr', "{$line}\n");
    }
}
