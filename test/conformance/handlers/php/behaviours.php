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
            case 'log':
                file_put_contents('php://stdout', "to standard output\n");
                file_put_contents('php://stderr', "to standard error\n");
                return null;
            default:
                return $event;
        }
    }
};
