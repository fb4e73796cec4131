<?php

/**
 * Adapters for applications that stay booted between requests: PSR-15 handlers, Symfony's HttpKernel and Laravel. They are
 * recognized by their interfaces, so this file depends on none of their packages. After each response the application is
 * terminated (`terminate`) and reset (`reset`, scoped instances), so that no request sees the state of another.
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\Context;

final class Kernel
{
    private const PSR_15 = 'Psr\\Http\\Server\\RequestHandlerInterface';
    private const SYMFONY = 'Symfony\\Component\\HttpKernel\\HttpKernelInterface';
    private const SYMFONY_KERNEL = 'Symfony\\Component\\HttpKernel\\KernelInterface';
    private const LARAVEL = 'Illuminate\\Contracts\\Foundation\\Application';
    private const LARAVEL_KERNEL = 'Illuminate\\Contracts\\Http\\Kernel';

    /** A callable that handles requests with `$object`; null if it is not a supported application. */
    public static function around(object $object): ?\Closure
    {
        return match (true) {
            // Laravel's container implements Symfony's interface too.
            $object instanceof (self::LARAVEL) => self::laravel($object),
            $object instanceof (self::PSR_15) => self::psr15($object),
            $object instanceof (self::SYMFONY) => self::symfony($object),
            default => null,
        };
    }

    private static function psr15(object $handler): \Closure
    {
        $psr7 = new Psr7();
        return static function (Request $request, Context $context) use ($handler, $psr7): Response {
            $form = FormData::of($request);
            try {
                $response = $handler->handle($psr7->request($request, $form, $context));
            } catch (\Throwable $thrown) {
                self::reset($handler);
                throw $thrown;
            }
            return Psr7::response($response, static function () use ($handler, $form): void {
                $form->discard();
                self::reset($handler);
            });
        };
    }

    private static function symfony(object $kernel): \Closure
    {
        if ($kernel instanceof (self::SYMFONY_KERNEL)) {
            // During initialization, so that the handlers and settings of its bundles are not those of the first request.
            $kernel->boot();
        }
        return static function (Request $request, Context $context) use ($kernel): Response {
            $form = FormData::of($request);
            $symfony = self::symfonyRequest($request, $form, $context);
            try {
                $response = $kernel->handle($symfony);
            } catch (\Throwable $thrown) {
                self::reset($kernel);
                throw $thrown;
            }
            return self::fromSymfony($response, static function () use ($kernel, $symfony, $response, $form): void {
                if (method_exists($kernel, 'terminate')) {
                    $kernel->terminate($symfony, $response);
                }
                $form->discard();
                // Symfony's own kernel resets its services as the next request begins.
                self::reset($kernel);
            });
        };
    }

    private static function laravel(object $application): \Closure
    {
        $kernel = $application->make(self::LARAVEL_KERNEL);
        $kernel->bootstrap();
        return static function (Request $request, Context $context) use ($application, $kernel): Response {
            $form = FormData::of($request);
            $laravel = \Illuminate\Http\Request::createFromBase(
                self::symfonyRequest($request, $form, $context, \Illuminate\Http\UploadedFile::class),
            );
            try {
                $response = $kernel->handle($laravel);
            } catch (\Throwable $thrown) {
                self::resetLaravel($application);
                throw $thrown;
            }
            $afterResponse = static function () use ($application, $kernel, $laravel, $response, $form): void {
                $kernel->terminate($laravel, $response);
                $form->discard();
                self::resetLaravel($application);
            };
            return self::fromSymfony($response, $afterResponse);
        };
    }

    /** @param class-string $fileClass Symfony's class or a subclass of it */
    private static function symfonyRequest(
        Request $request,
        FormData $form,
        Context $context,
        string $fileClass = 'Symfony\\Component\\HttpFoundation\\File\\UploadedFile',
    ): object {
        $server = ServerVariables::of($request, (string) getenv('LAMBDA_TASK_ROOT'), '/index.php')
            + ServerVariables::authentication($request)
            + ServerVariables::ofLambda($request, $context)
            + ['REQUEST_TIME' => time(), 'REQUEST_TIME_FLOAT' => microtime(true)];
        $fields = $form->fields;
        $isForm = stripos($request->header('content-type'), 'application/x-www-form-urlencoded') === 0;
        if ($isForm && in_array($request->method, ['PUT', 'PATCH', 'DELETE'], true)) {
            parse_str($request->body, $fields);
        }
        return new \Symfony\Component\HttpFoundation\Request(
            $request->query(),
            $fields,
            [],
            $request->cookies(),
            self::symfonyFiles($form->files, $fileClass),
            $server,
            $request->body,
        );
    }

    private static function symfonyFiles(array $files, string $class): array
    {
        return array_map(static fn (array $file) => match (true) {
            !isset($file['tmp_name'], $file['error']) || is_array($file['error']) => self::symfonyFiles($file, $class),
            $file['error'] === UPLOAD_ERR_NO_FILE => null,
            // Test mode allows moving the file although PHP itself did not receive it.
            default => new $class(
                $file['tmp_name'],
                $file['name'],
                $file['type'] ?: null,
                $file['error'],
                true,
            ),
        }, $files);
    }

    private static function fromSymfony(object $response, \Closure $afterResponse): Response
    {
        $headers = $response->headers->allPreserveCaseWithoutCookies();
        foreach ($response->headers->getCookies() as $cookie) {
            $headers['Set-Cookie'][] = (string) $cookie;
        }
        $content = $response->getContent();
        $body = is_string($content) ? $content : static function (callable $write) use ($response): void {
            // Streamed responses and file responses print their content.
            ob_start(static function (string $printed) use ($write): string {
                if ($printed !== '') {
                    $write($printed);
                }
                return '';
            }, 1);
            try {
                $response->sendContent();
            } finally {
                ob_end_clean();
            }
        };
        return new Response($response->getStatusCode(), $headers, $body, $afterResponse);
    }

    private static function reset(object $object): void
    {
        if (is_callable([$object, 'reset'])) {
            $object->reset();
        }
    }

    private static function resetLaravel(object $application): void
    {
        if (method_exists($application, 'forgetScopedInstances')) {
            $application->forgetScopedInstances();
        }
        if ($application->resolved('auth')) {
            $application->make('auth')->forgetGuards();
        }
        foreach (['auth.driver', 'session.store'] as $perRequest) {
            $application->forgetInstance($perRequest);
        }
        if ($application->resolved('session')) {
            $application->make('session')->forgetDrivers();
        }
        if ($application->resolved('cookie')) {
            $application->make('cookie')->flushQueuedCookies();
        }
        \Illuminate\Support\Facades\Facade::clearResolvedInstances();
        self::reset($application);
    }
}
