<?php

/**
 * Wires the runtime and runs it until the environment ends. It loads only what the first invocation needs, because every
 * file adds to the cold start.
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
// In the other modes the code of the project runs in another process, which discards its state itself.
$streamWrappers = $settings->runsHandler() ? RequestState::wrappers() : null;
$output = new Output();
$output->start();
$restart->beforeRestart[] = $output->close(...);

$api = new RuntimeApi($settings->runtimeApi);
$shutdownReporter = new ShutdownReporter($api, $settings, $restart);
// In the modes `http` and `console` another process does the work and has a timeout of its own.
$deadline = $settings->watchesDeadline ? new Deadline($settings) : null;
if ($deadline !== null) {
    $deadline->watch();
    $restart->beforeRestart[] = $deadline->stop(...);
}
try {
    $handler = (new HandlerLocator($settings, $restart))->locate();
} catch (\Throwable $failure) {
    $shutdownReporter->failInitialization($failure);
}
$deadline?->listen();
$requestState = $streamWrappers !== null ? new RequestState($output, $streamWrappers) : null;
try {
    (new Loop($api, $handler, $settings, $shutdownReporter, $deadline, $requestState))->run();
} catch (ConnectionLost $lost) {
    // The environment is shutting down. The log is the only place left to report to.
    $shutdownReporter->silence();
    file_put_contents('php://stderr', "{$lost->getMessage()}\n");
    exit(1);
}
