/* Returns the event. */
#include "handler.h"

#include <stdlib.h>
#include <string.h>

int initialize(struct result *failure) {
    (void)failure;
    return 0;
}

int handle(const struct invocation *invocation, struct result *result) {
    result->body = malloc(invocation->length);
    if (result->body == NULL) {
        result->error_type = "Runtime.OutOfMemory";
        result->error_message = "not enough memory for the result";
        return -1;
    }
    memcpy(result->body, invocation->event, invocation->length);
    result->length = invocation->length;
    return 0;
}
