<?php

/**
 * Wires the runtime and runs it until the environment ends. Nothing is loaded here that the first invocation can do
 * without: every file is cold-start time.
 */

declare(strict_types=1);

namespace Lamella;

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Lamella\\')) {
        $file = __DIR__ . '/' . strtr(substr($class, 8), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
}, true, true);

$restart = new Restart($argv, getenv());
$settings = Settings::fromEnvironment();
UserIni::apply($settings, $restart);
$settings->limitMemory();

$api = new RuntimeApi($settings->runtimeApi);
$lastWords = new LastWords($api, $settings, $restart);
// Under `http` and `console` another process does the work, and is watched for itself.
$deadline = $settings->watchesDeadline ? new Deadline($settings) : null;
if ($deadline !== null) {
    $deadline->watch();
    $restart->beforehand = $deadline->stop(...);
}
try {
    $handler = (new HandlerLocator($settings, $restart))->locate();
} catch (\Throwable $failure) {
    $lastWords->failInitialization($failure);
}
$deadline?->listen();
try {
    (new Loop($api, $handler, $settings, $lastWords, $restart, $deadline))->run();
} catch (ConnectionLost $lost) {
    // Nobody is left to tell but the log: the environment is being taken down.
    $lastWords->silence();
    file_put_contents('php://stderr', "{$lost->getMessage()}\n");
    exit(1);
}
