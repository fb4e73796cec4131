/* The interface between the runtime and a handler. */
#ifndef HANDLER_H
#define HANDLER_H

#include <stddef.h>

struct invocation {
    const char *request_id;
    const char *trace_id;
    long long deadline_ms;
    /* Terminated by a zero byte, which `length` does not include. */
    const char *event;
    size_t length;
};

struct result {
    /* Allocated with malloc; the runtime frees it. */
    char *body;
    size_t length;
    /* Set by a handler that fails. */
    const char *error_type;
    const char *error_message;
};

/* Returns 0 and sets the body, or returns -1 and sets type and message of the error. */
int handle(const struct invocation *invocation, struct result *result);

/* Called once before the first event. Returns 0, or -1 with an error. */
int initialize(struct result *failure);

#endif
