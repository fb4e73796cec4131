<?php

/**
 * What a project that was written for Bref expects of its runtime beside its handlers: secrets in its environment, hooks
 * around start and invocations, handlers from its container. Used only where Bref's package is among the project's, whose
 * classes these are; Bref's bridges to Laravel and Symfony hang on it.
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

    /** To be called once the project's autoloader is there. */
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

    /** To be called once the handler is there. */
    public function finishStart(): void
    {
        $events = \Bref\Bref::events();
        $events->afterStartup();
        // Without any, which is the common case, invocations are spared the trouble.
        $subscribers = (new \ReflectionObject($events))->getProperty('subscribers');
        $this->hasSubscribers = $subscribers->getValue($events) !== [];
    }

    /**
     * Calls the handler, with what subscribes to invocations before and after.
     *
     * @param list<mixed> $arguments
     * @param list<\Closure(): void> $afterResponse what is to be done once the response has been sent, to be added to
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
