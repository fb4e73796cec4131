<?php

/**
 * Any web application that consists of scripts. Each request runs a script under php-cgi, as behind a web server. Files are
 * sent from here. A timeout or the death of php-cgi becomes a line in the log and a status for the client.
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\ConfigurationError;
use Lamella\Context;
use Lamella\Settings;
use Lamella\UserIni;

final class FastCgiApplication
{
    /** Time reserved for ending a script and responding: this maximum, or this share of the remaining time if less. */
    private const RESERVED_SECONDS = 0.5;
    private const RESERVED_SHARE = 0.15;
    /** Share of the reserved time in which the script can end by itself. */
    private const GRACE_SHARE = 0.4;
    private const INIT_SECONDS = 9.0;

    private int $served = 0;

    private function __construct(
        private readonly DocumentRoot $root,
        private readonly PhpCgi $php,
        private readonly Settings $settings,
    ) {
    }

    /** Starts php-cgi and waits until it responds. Throws ConfigurationError. */
    public static function start(string $frontController, Settings $settings): self
    {
        $root = new DocumentRoot($frontController, $settings->taskRoot, $settings->documentRoot);
        $php = new PhpCgi($root->directory, UserIni::of($settings));
        try {
            $ready = ['SCRIPT_FILENAME' => PhpCgi::READY, 'REQUEST_METHOD' => 'GET', 'REDIRECT_STATUS' => '200'];
            $php->send($ready, '', microtime(true) + self::INIT_SECONDS, 0.0);
            while ($php->receive(microtime(true) + self::INIT_SECONDS) !== null) {
            }
        } catch (WorkerGone | WorkerTimedOut $failure) {
            $php->stop();
            throw new ConfigurationError("Cannot start php-cgi: {$failure->getMessage()}", 0, $failure);
        }
        return new self($root, $php, $settings);
    }

    /** Ends php-cgi, which would survive a restart of this process. */
    public function stop(): void
    {
        $this->php->stop();
    }

    public function __invoke(Request $request, Context $context): Response
    {
        $resolved = $this->root->resolve($request->path);
        return match ($resolved[0]) {
            'file' => StaticFile::response($request, $resolved[1]),
            'directory' => Response::redirect(
                $resolved[1] . ($request->queryString === '' ? '' : "?{$request->queryString}"),
                301,
            ),
            'script' => $this->run($request, $resolved[1], $resolved[2], $context),
        };
    }

    private function run(Request $request, string $script, string $pathInfo, Context $context): Response
    {
        $remaining = $context->getRemainingTimeInMillis() / 1000;
        $reserved = min(self::RESERVED_SECONDS, $remaining * self::RESERVED_SHARE);
        $deadline = microtime(true) + $remaining - $reserved;
        $params = ServerVariables::of($request, $this->root->directory, $script, $pathInfo)
            + ServerVariables::ofLambda($request, $context);
        $what = "{$request->method} {$request->path} ({$script})";
        try {
            $this->php->send($params, $request->body, $deadline, $reserved * self::GRACE_SHARE);
            [$status, $headers, $body] = $this->head($deadline);
            if ($this->settings->streams && Response::mayHaveBody($status)) {
                $body = $this->rest($body, $deadline);
            } else {
                while (($piece = $this->php->receive($deadline)) !== null) {
                    $body .= $piece;
                }
            }
            return new Response($status, $headers, $body, $this->afterResponse());
        } catch (WorkerTimedOut) {
            $seconds = round($remaining, 1);
            self::log("{$what} was stopped: no response within the remaining {$seconds} s. Increase the timeout of the "
                . 'function, or find the call in the script that waits.');
            return $this->failure(504, 'The web application did not respond in time.');
        } catch (WorkerGone $gone) {
            self::log("{$what} failed: php-cgi ended before it responded. {$gone->getMessage()} php-cgi is restarted.");
            return $this->failure(502, 'The web application ended without a response.');
        }
    }

    private function failure(int $status, string $text): Response
    {
        $response = Response::text($status, "{$text}\n");
        return new Response($status, $response->headers, $response->body, $this->php->prepare(...));
    }

    /** Restarts php-cgi after the response, once it has served its maximum number of requests. */
    private function afterResponse(): ?\Closure
    {
        $limit = $this->settings->maxInvocations;
        return $limit > 0 && ++$this->served % $limit === 0 ? $this->php->restart(...) : null;
    }

    /**
     * Reads up to the end of the headers.
     *
     * @return array{int, array<string, list<string>>, string} status, headers, and the part of the body read with them
     */
    private function head(float $deadline): array
    {
        $output = '';
        while (($piece = $this->php->receive($deadline)) !== null) {
            $output .= $piece;
            if (str_starts_with($output, "\r\n")) {
                // No header at all. An empty line in the body must not end the headers.
                return [200, [], substr($output, 2)];
            }
            $end = strpos($output, "\r\n\r\n");
            if ($end !== false) {
                return [...self::headers(substr($output, 0, $end)), substr($output, $end + 4)];
            }
        }
        throw new WorkerGone('It sent no response.');
    }

    /** @return array{int, array<string, list<string>>} */
    private static function headers(string $head): array
    {
        $status = 200;
        $headers = [];
        foreach (explode("\r\n", $head) as $line) {
            $colon = strpos($line, ':') ?: strlen($line);
            $name = substr($line, 0, $colon);
            $value = trim(substr($line, $colon + 1));
            if ($colon === 6 && strcasecmp($name, 'status') === 0) {
                $status = (int) $value;
            } elseif (preg_match('~^HTTP/[\d.]+ (\d{3})\b~', $line, $match) === 1) {
                // PHP sends a status line instead with cgi.rfc2616_headers or cgi.nph.
                $status = (int) $match[1];
            } elseif ($colon < strlen($line)) {
                $headers[$name][] = $value;
            }
        }
        return [$status, $headers];
    }

    /** @return \Generator<string> */
    private function rest(string $start, float $deadline): \Generator
    {
        if ($start !== '') {
            yield $start;
        }
        while (($piece = $this->php->receive($deadline)) !== null) {
            yield $piece;
        }
    }

    private static function log(string $line): void
    {
        file_put_contents('php://stderr', "{$line}\n");
    }
}
