<?php

/**
 * A handler found and ready: turns the event into what its first parameter's type asks for, calls it, and turns the
 * result into the response body. The types are read once, at initialisation; an invocation only follows the plan.
 */

declare(strict_types=1);

namespace Lamella;

final class Handler
{
    /** 1.0 stays 1.0; what cannot be JSON is an error, not `false`. */
    public const JSON_OUT = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_PRESERVE_ZERO_FRACTION;
    private const DEPTH = 512;
    /** What is passed wherever a parameter of the type stands. */
    private const SPECIAL_TYPES = [
        Context::class => 'context',
        'Bref\\Context\\Context' => 'bref',
        ResponseStream::class => 'stream',
    ];

    /** @var list<'array'|'object'|'raw'|'context'|'bref'|'stream'> what to pass, in order */
    private readonly array $parameters;
    private readonly \Closure $call;

    /**
     * @param bool $rawStrings whether a string result is the body as it is, and not a JSON string
     * @param bool $streams whether an iterable result is sent piece by piece, and not as a JSON array
     */
    public function __construct(callable $handler, private readonly bool $rawStrings, private readonly bool $streams)
    {
        $this->call = $handler(...);
        $this->parameters = self::plan(new \ReflectionFunction($this->call));
    }

    /** Calls the handler; throws whatever it throws. Returns the body, or null if it has been streamed. */
    public function handle(Invocation $invocation, RuntimeApi $api): ?string
    {
        $arguments = [];
        $stream = null;
        foreach ($this->parameters as $wanted) {
            $arguments[] = match ($wanted) {
                'array' => json_decode($invocation->payload, true, self::DEPTH, JSON_THROW_ON_ERROR),
                'object' => json_decode($invocation->payload, false, self::DEPTH, JSON_THROW_ON_ERROR),
                'raw' => $invocation->payload,
                'context' => $invocation->context(),
                'bref' => $invocation->brefContext(),
                'stream' => $stream ??= new ResponseStream($api, $invocation->requestId),
            };
        }
        $result = ($this->call)(...$arguments);
        if ($stream !== null) {
            $stream->end();
            return null;
        }
        if ($result instanceof \Traversable && !$result instanceof \JsonSerializable) {
            if ($this->streams) {
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

    /** A string is sent as it is, anything else as a line of JSON. */
    private function send(\Traversable $pieces, ResponseStream $stream): void
    {
        foreach ($pieces as $piece) {
            $stream->write(is_string($piece) ? $piece : json_encode($piece, self::JSON_OUT) . "\n");
        }
        $stream->end();
    }

    /** @return list<'array'|'object'|'raw'|'context'|'bref'|'stream'> */
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
                $plan[] = self::eventForm($types);
            } elseif (!$parameter->isOptional() || $parameter->getName() === 'context') {
                // One more parameter is the context, as in the runtimes of other languages.
                $plan[] = 'context';
            } else {
                break;
            }
        }
        return $plan;
    }

    /**
     * @param list<string> $types
     * @return 'array'|'object'|'raw'
     */
    private static function eventForm(array $types): string
    {
        if ($types === [] || array_intersect($types, ['array', 'mixed', 'iterable']) !== []) {
            return 'array';
        }
        if (array_intersect($types, ['object', 'stdClass']) !== []) {
            return 'object';
        }
        return in_array('string', $types, true) ? 'raw' : 'array';
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
