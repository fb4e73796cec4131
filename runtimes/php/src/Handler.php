<?php

/**
 * A handler that is ready to be called. Converts the event to the type of its first parameter, calls it, and converts the
 * result to the response body. Parameter types are read once, during initialization.
 */

declare(strict_types=1);

namespace Lamella;

final class Handler
{
    /** 1.0 stays 1.0. A value that JSON cannot represent is an error, not `false`. */
    public const JSON_OUT = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_PRESERVE_ZERO_FRACTION;
    private const DEPTH = 512;
    /** Types that a parameter at any position may have, and what is passed for them. */
    private const SPECIAL_TYPES = [
        Context::class => 'context',
        'Bref\\Context\\Context' => 'bref',
        ResponseStream::class => 'stream',
        Http\Request::class => 'request',
        'Psr\\Http\\Message\\ServerRequestInterface' => 'psr',
    ];

    /** @var list<\Closure(): void> actions to run after the response or the failure has been sent */
    public array $afterResponse = [];
    public ?BrefProject $bref = null;
    /** @var list<string> what to pass, in order: one of the forms, or an event class */
    private readonly array $parameters;
    private readonly \Closure $call;
    private ?Http\Exchange $exchange = null;
    private ?Http\Psr7 $psr7 = null;

    /** @param bool $rawStrings whether a string result is sent unchanged instead of as a JSON string */
    public function __construct(
        callable $handler,
        private readonly Settings $settings,
        private readonly bool $rawStrings = false,
    ) {
        $this->call = $handler(...);
        $this->parameters = self::plan(new \ReflectionFunction($this->call));
        if (array_intersect(['request', 'psr'], $this->parameters) !== []) {
            $this->exchange = new Http\Exchange($settings);
        }
    }

    /** Calls the handler and throws what it throws. Returns the response body, or null if the response was streamed. */
    public function handle(Invocation $invocation, RuntimeApi $api): ?string
    {
        $request = null;
        if ($this->exchange !== null) {
            try {
                $request = $this->exchange->begin($invocation->payload);
            } catch (Http\BadRequest $bad) {
                $response = Http\Response::text(400, "{$bad->getMessage()}\n");
                return $this->exchange->finish($bad->request, $response, $api, $invocation->requestId);
            }
            if (is_string($request)) {
                return $request;
            }
        }
        $arguments = [];
        $stream = null;
        foreach ($this->parameters as $wanted) {
            $arguments[] = match ($wanted) {
                'array' => json_decode($invocation->payload, true, self::DEPTH, JSON_THROW_ON_ERROR),
                'object' => json_decode($invocation->payload, false, self::DEPTH, JSON_THROW_ON_ERROR),
                'raw' => $invocation->payload,
                'context' => $invocation->context(),
                'bref' => $invocation->context()->forBref(),
                'stream' => $stream ??= new ResponseStream($api, $invocation->requestId),
                'request' => $request,
                'psr' => $this->psrRequest($request, $invocation->context()),
                default => $this->typedEvent($wanted, $invocation->payload),
            };
        }
        $result = $this->bref === null
            ? ($this->call)(...$arguments)
            : $this->bref->invoke($this->call, $arguments, $invocation, $this->afterResponse);
        if ($stream !== null) {
            $stream->end();
            return null;
        }
        if (is_object($result)) {
            if ($result instanceof Http\Response || $result instanceof \Psr\Http\Message\ResponseInterface) {
                return $this->respond($request, $result, $invocation, $api);
            }
            if ($result instanceof \Psr\Http\Message\StreamInterface) {
                $result = Http\Psr7::pieces($result);
            }
        }
        if ($result instanceof \Traversable && !$result instanceof \JsonSerializable) {
            if ($this->settings->streams) {
                $this->send($result, new ResponseStream($api, $invocation->requestId));
                return null;
            }
            $result = iterator_to_array($result, !$result instanceof \Generator);
        }
        if ($this->rawStrings && is_string($result)) {
            return $result;
        }
        try {
            return json_encode($result, self::JSON_OUT);
        } catch (\JsonException $failure) {
            throw UnencodableResult::in($result, $failure);
        }
    }

    private function respond(?Http\Request $request, object $result, Invocation $invocation, RuntimeApi $api): ?string
    {
        // A handler may return an HTTP response even if it took the event in another form.
        $this->exchange ??= new Http\Exchange($this->settings);
        $request ??= Http\Request::fromEvent(json_decode($invocation->payload, true, self::DEPTH, JSON_THROW_ON_ERROR));
        $response = $result instanceof Http\Response
            ? $result
            : Http\Psr7::response($result);
        if ($response->afterResponse !== null) {
            $this->afterResponse[] = $response->afterResponse;
        }
        return $this->exchange->finish($request, $response, $api, $invocation->requestId);
    }

    private function psrRequest(Http\Request $request, Context $context): \Psr\Http\Message\ServerRequestInterface
    {
        $form = Http\FormData::of($request);
        $this->afterResponse[] = $form->discard(...);
        return ($this->psr7 ??= new Http\Psr7())->request($request, $form, $context);
    }

    private function typedEvent(string $class, string $payload): object
    {
        if (method_exists($class, 'fromJson')) {
            return $class::fromJson($payload);
        }
        $event = json_decode($payload, true, self::DEPTH, JSON_THROW_ON_ERROR);
        // The constructors of Bref's events take the array.
        return method_exists($class, 'of') ? $class::of($event) : new $class($event);
    }

    /** A string is sent as it is, anything else as a line of JSON. */
    private function send(\Traversable $pieces, ResponseStream $stream): void
    {
        foreach ($pieces as $piece) {
            $stream->write(is_string($piece) ? $piece : json_encode($piece, self::JSON_OUT) . "\n");
        }
        $stream->end();
    }

    /** @return list<string> */
    private static function plan(\ReflectionFunction $function): array
    {
        $plan = [];
        $hasEvent = false;
        foreach ($function->getParameters() as $parameter) {
            $types = self::typeNames($parameter->getType());
            $special = array_values(array_intersect_key(self::SPECIAL_TYPES, array_flip($types)))[0] ?? null;
            if ($special !== null) {
                $plan[] = $special;
            } elseif (!$hasEvent) {
                $hasEvent = true;
                $form = self::eventForm($types);
                if ($form === null && $parameter->isOptional()) {
                    break;
                }
                $plan[] = $form ?? throw self::unsuitable($parameter, $types, 'array, object, string, an event class, '
                    . 'Lamella\\Http\\Request or PSR-7 ServerRequestInterface');
            } elseif (!$parameter->isOptional() || $parameter->getName() === 'context') {
                // A second parameter is the context, as in AWS's runtimes for other languages.
                $plan[] = array_diff($types, ['mixed', 'object', 'null']) === []
                    ? 'context'
                    : throw self::unsuitable($parameter, $types, 'Lamella\\Context');
            } else {
                break;
            }
        }
        return $plan;
    }

    /** @param list<string> $types */
    private static function unsuitable(\ReflectionParameter $parameter, array $types, string $suitable): ConfigurationError
    {
        return new ConfigurationError("The handler cannot be called: nothing fits its parameter \${$parameter->getName()} of "
            . 'type ' . implode('|', $types) . ". Declare it as {$suitable}.");
    }

    /**
     * @param list<string> $types
     * @return string|null a form, or an event class; null if no event fits
     */
    private static function eventForm(array $types): ?string
    {
        if ($types === [] || array_intersect($types, ['array', 'mixed', 'iterable']) !== []) {
            return 'array';
        }
        if (array_intersect($types, ['object', 'stdClass']) !== []) {
            return 'object';
        }
        if (in_array('string', $types, true)) {
            return 'raw';
        }
        foreach ($types as $type) {
            if (is_subclass_of($type, Event\Event::class) || is_subclass_of($type, 'Bref\\Event\\LambdaEvent')) {
                return $type;
            }
        }
        return array_intersect($types, ['int', 'float', 'bool', 'true', 'false', 'null']) === [] ? null : 'array';
    }

    /** @return list<string> */
    private static function typeNames(?\ReflectionType $type): array
    {
        return match (true) {
            $type instanceof \ReflectionNamedType => [$type->getName()],
            $type instanceof \ReflectionUnionType => array_map(strval(...), $type->getTypes()),
            default => [],
        };
    }
}
