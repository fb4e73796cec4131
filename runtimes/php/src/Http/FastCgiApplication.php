<?php

/**
 * A web application of scripts, any: each request runs one under php-cgi, from nothing, as behind any web server; files
 * are answered here. What goes wrong below (time over, the process gone) is a line in the log and a status for the client.
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\ConfigurationError;
use Lamella\Context;
use Lamella\Settings;

final class FastCgiApplication
{
    /** Left of the invocation's time to end a script and to answer: at most, and of what there is. */
    private const RESERVED_SECONDS = 0.5;
    private const RESERVED_SHARE = 0.15;
    /** Of that, how much the script has to end by itself. */
    private const GRACE_SHARE = 0.4;
    private const INIT_SECONDS = 9.0;

    private int $served = 0;

    private function __construct(
        private readonly DocumentRoot $root,
        private readonly PhpCgi $php,
        private readonly Settings $settings,
    ) {
    }

    /** Starts php-cgi and waits until it answers. Throws ConfigurationError. */
    public static function start(string $frontController, Settings $settings): self
    {
        $root = new DocumentRoot($frontController, $settings->taskRoot, $settings->documentRoot);
        $php = new PhpCgi($root->directory);
        try {
            $ready = ['SCRIPT_FILENAME' => __DIR__ . '/ready.php', 'REQUEST_METHOD' => 'GET', 'REDIRECT_STATUS' => '200'];
            $php->send($ready, '', microtime(true) + self::INIT_SECONDS, 0.0);
            while ($php->receive(microtime(true) + self::INIT_SECONDS) !== null) {
            }
        } catch (WorkerGone | WorkerTimedOut $failure) {
            $php->stop();
            throw new ConfigurationError("php-cgi does not start: {$failure->getMessage()}", 0, $failure);
        }
        return new self($root, $php, $settings);
    }

    /** Ends php-cgi, which would outlive a new image of this process. */
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
            self::log("{$what} was not answered within the {$seconds} s that were left, and has been stopped. Raise the "
                . 'timeout of the function, or find in the script what waits.');
            return $this->failure(504, 'The web application did not answer in time.');
        } catch (WorkerGone $gone) {
            self::log("{$what}: php-cgi ended before it had answered. {$gone->getMessage()} It is started again.");
            return $this->failure(502, 'The web application ended without an answer.');
        }
    }

    private function failure(int $status, string $text): Response
    {
        $response = Response::text($status, "{$text}\n");
        return new Response($status, $response->headers, $response->body, $this->php->prepare(...));
    }

    /** A new process after as many requests as it may serve, when the response is on its way. */
    private function afterResponse(): ?\Closure
    {
        $limit = $this->settings->maxInvocations;
        return $limit > 0 && ++$this->served % $limit === 0 ? $this->php->restart(...) : null;
    }

    /**
     * Reads up to the end of the headers.
     *
     * @return array{int, array<string, list<string>>, string} status, headers, and what of the body has come with them
     */
    private function head(float $deadline): array
    {
        $output = '';
        while (($piece = $this->php->receive($deadline)) !== null) {
            $output .= $piece;
            $end = strpos($output, "\r\n\r\n");
            if ($end !== false) {
                return [...self::headers(substr($output, 0, $end)), substr($output, $end + 4)];
            }
        }
        throw new WorkerGone('It sent no headers.');
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
            } else {
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
