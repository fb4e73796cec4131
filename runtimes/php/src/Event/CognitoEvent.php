<?php

/**
 * Any trigger of a Cognito user pool. The handler changes the response and returns the event. Everything else is returned
 * unchanged, including empty objects (`{}`), because Cognito rejects `[]` in their place.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
 */

declare(strict_types=1);

namespace Lamella\Event;

/**
 * @property-read string $version
 * @property-read string $triggerSource PreSignUp_SignUp, TokenGeneration_HostedAuth ...
 * @property-read string $region
 * @property-read string $userPoolId
 * @property-read string|null $userName
 * @property-read array{awsSdkVersion: string, clientId: string} $callerContext
 * @property-read array<string, mixed> $request userAttributes, validationData, session ...
 * @property-read array<string, mixed> $response
 */
final class CognitoEvent extends Event
{
    private ?\stdClass $original = null;
    /** @var array<string, mixed> */
    private array $changes = [];

    /** @param string $json the event */
    public static function fromJson(string $json): self
    {
        $event = self::of(json_decode($json, true, flags: JSON_THROW_ON_ERROR));
        $event->original = json_decode($json, false, flags: JSON_THROW_ON_ERROR);
        return $event;
    }

    /** The user's attributes. @return array<string, string> */
    public function userAttributes(): array
    {
        return $this->get('request.userAttributes', []);
    }

    /**
     * Sets members of the response. Returns the event: `return $event->respond(['autoConfirmUser' => true]);`
     *
     * @param array<string, mixed> $members
     */
    public function respond(array $members): self
    {
        $this->changes = $members + $this->changes;
        return $this;
    }

    public function jsonSerialize(): mixed
    {
        $event = $this->original === null ? (object) $this->raw : clone $this->original;
        $event->response = (object) ($this->changes + (array) ($event->response ?? []));
        return $event;
    }

    protected static function fits(array $event): bool
    {
        return isset($event['triggerSource'], $event['userPoolId']);
    }
}
