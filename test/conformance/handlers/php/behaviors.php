<?php

declare(strict_types=1);

return new class {
    private int $served = 0;

    public function __invoke(mixed $event): mixed
    {
        $this->served++;
        switch (is_array($event) ? $event['do'] ?? null : null) {
            case 'fail':
                throw new RuntimeException($event['message']);
            case 'size':
                return str_repeat('x', $event['size']);
            case 'trace':
                return getenv('_X_AMZN_TRACE_ID');
            case 'count':
                return $this->served;
            case 'die':
                exec('kill -KILL ' . getmypid());
                return null;
            case 'sleep':
                usleep((int) ($event['seconds'] * 1_000_000));
                return null;
            case 'write':
                file_put_contents('/tmp/kept', json_encode($event['text']));
                return null;
            case 'read':
                return json_decode((string) file_get_contents('/tmp/kept'));
            case 'variable':
                return getenv($event['name']);
            case 'log':
                file_put_contents('php://stdout', "to standard output\n");
                file_put_contents('php://stderr', "to standard error\n");
                return null;
            default:
                return $event;
        }
    }
};
