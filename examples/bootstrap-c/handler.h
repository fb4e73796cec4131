/* What a handler gets and gives. */
#ifndef HANDLER_H
#define HANDLER_H

#include <stddef.h>

struct invocation {
    const char *request_id;
    const char *trace_id;
    long long deadline_ms;
    /* Ends with a zero byte that `length` does not count. */
    const char *event;
    size_t length;
};

struct answer {
    /* From malloc; the runtime frees it. */
    char *body;
    size_t length;
    /* Set by a handler that fails. */
    const char *error_type;
    const char *error_message;
};

/* 0 when `answer` has a body, else -1 with the error's type and message in it. */
int handle(const struct invocation *invocation, struct answer *answer);

/* Called once before the first event; 0, or -1 with an error. */
int initialize(struct answer *failure);

#endif
