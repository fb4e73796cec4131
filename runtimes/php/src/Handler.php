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

    /** @var list<'array'|'object'|'raw'|'context'> what to pass, in order */
    private readonly array $parameters;
    private readonly \Closure $call;

    /** @param bool $rawStrings whether a string result is the body as it is, and not a JSON string */
    public function __construct(callable $handler, private readonly bool $rawStrings)
    {
        $this->call = $handler(...);
        $this->parameters = self::plan(new \ReflectionFunction($this->call));
    }

    /** Calls the handler; throws whatever it throws. */
    public function handle(Invocation $invocation): string
    {
        $arguments = [];
        foreach ($this->parameters as $wanted) {
            $arguments[] = match ($wanted) {
                'array' => json_decode($invocation->payload, true, self::DEPTH, JSON_THROW_ON_ERROR),
                'object' => json_decode($invocation->payload, false, self::DEPTH, JSON_THROW_ON_ERROR),
                'raw' => $invocation->payload,
                'context' => $invocation->context(),
            };
        }
        $result = ($this->call)(...$arguments);
        if ($this->rawStrings && is_string($result)) {
            return $result;
        }
        try {
            return json_encode($result, self::JSON_OUT);
        } catch (\JsonException $failure) {
            throw UnencodableResult::in($result, $failure);
        }
    }

    /** @return list<'array'|'object'|'raw'|'context'> */
    private static function plan(\ReflectionFunction $function): array
    {
        $plan = [];
        foreach (array_slice($function->getParameters(), 0, 2) as $parameter) {
            $types = self::typeNames($parameter->getType());
            $isContext = array_filter($types, static fn (string $type): bool => $type === Context::class);
            if ($isContext !== []) {
                $plan[] = 'context';
            } elseif (in_array('context', $plan, true) || $plan === []) {
                $plan[] = self::eventForm($types);
            } elseif (!$parameter->isOptional() || $parameter->getName() === 'context') {
                // A second parameter is the context, as in the runtimes of other languages.
                $plan[] = 'context';
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
