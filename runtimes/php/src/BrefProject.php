<?php

/**
 * Support for projects written for Bref, beyond their handlers: secrets in environment variables, hooks around startup and
 * invocations, handlers from a container. Active only if the project has Bref's package, whose classes it uses. Bref's
 * bridges to Laravel and Symfony depend on these hooks.
 * https://bref.sh/docs/runtimes/function, https://github.com/brefphp/bref/tree/master/src/Listener
 */

declare(strict_types=1);

namespace Lamella;

final class BrefProject
{
    private bool $hasSubscribers = false;

    private function __construct()
    {
    }

    /** Call it after loading the project's autoloader. Returns null if the project does not have Bref. */
    public static function start(): ?self
    {
        if (!class_exists('Bref\\Bref') || !method_exists('Bref\\Bref', 'events')) {
            return null;
        }
        if (class_exists('Bref\\LazySecretsLoader')) {
            \Bref\LazySecretsLoader::loadSecretEnvironmentVariables();
        }
        \Bref\Bref::events()->beforeStartup();
        return new self();
    }

    /** Call it after loading the handler. */
    public function finishStart(): void
    {
        $events = \Bref\Bref::events();
        $events->afterStartup();
        // Most projects have none. Invocations then skip the events.
        $subscribers = (new \ReflectionObject($events))->getProperty('subscribers');
        $this->hasSubscribers = $subscribers->getValue($events) !== [];
    }

    /**
     * Calls the handler, and the subscribers before and after it.
     *
     * @param list<mixed> $arguments
     * @param list<\Closure(): void> $afterResponse actions to run after the response has been sent; this method may add one
     */
    public function invoke(\Closure $handler, array $arguments, Invocation $invocation, array &$afterResponse): mixed
    {
        $context = $invocation->context()->forBref();
        $json = json_encode($context, JSON_UNESCAPED_SLASHES);
        $_SERVER['LAMBDA_INVOCATION_CONTEXT'] = $_ENV['LAMBDA_INVOCATION_CONTEXT'] = $json;
        putenv("LAMBDA_INVOCATION_CONTEXT={$json}");
        if (!$this->hasSubscribers) {
            return $handler(...$arguments);
        }
        $event = json_decode($invocation->payload, true);
        $events = \Bref\Bref::events();
        $result = $failure = null;
        $afterResponse[] = static function () use ($events, $handler, $event, $context, &$result, &$failure): void {
            $events->afterInvoke($handler, $event, $context, $result, $failure);
        };
        try {
            $events->beforeInvoke($handler, $event, $context);
            return $result = $handler(...$arguments);
        } catch (\Throwable $thrown) {
            $failure = $thrown;
            throw $thrown;
        }
    }
}
