<?php

declare(strict_types=1);

namespace Example\Tests;

use Lamella\Testing\ServiceError;
use Lamella\Testing\UsesLamella;
use PHPUnit\Framework\TestCase;

final class HelloTest extends TestCase
{
    use UsesLamella;

    protected function setUp(): void
    {
        $this->lamella()->putFunction('hello', directory: __DIR__ . '/../src', handler: 'hello.php');
    }

    public function testGreets(): void
    {
        $first = $this->lamella()->invoke('hello', ['name' => 'World']);
        self::assertNull($first->functionError);
        self::assertSame(['greeting' => 'Hello, World!'], $first->payload);
        self::assertTrue($first->cold);
        self::assertFalse($this->lamella()->invoke('hello', ['name' => 'again'])->cold);
        self::assertCount(2, $this->lamella()->logs('hello', 'greeting'));
    }

    public function testReportsEventsWithoutName(): void
    {
        // Each test starts with an empty log.
        self::assertSame([], $this->lamella()->logs('hello'));
        $result = $this->lamella()->invoke('hello', ['other' => 1]);
        self::assertSame('Unhandled', $result->functionError);
        self::assertSame('The event has no name.', $result->payload['errorMessage']);
    }

    public function testOnlyKnowsItsOwnFunctions(): void
    {
        $this->lamella()->putFunction('other', code: '<?php return fn () => "other";');
        self::assertSame('other', $this->lamella()->invoke('other')->payload);
        $this->lamella()->advanceClock(3600);
        $this->expectException(ServiceError::class);
        $this->expectExceptionMessage('ResourceNotFoundException: Function not found');
        $this->lamella()->invoke('missing');
    }
}
