/* Answers with the event that it was given. */
#include "handler.h"

#include <stdlib.h>
#include <string.h>

int initialize(struct answer *failure) {
    (void)failure;
    return 0;
}

int handle(const struct invocation *invocation, struct answer *answer) {
    answer->body = malloc(invocation->length);
    if (answer->body == NULL) {
        answer->error_type = "Runtime.OutOfMemory";
        answer->error_message = "no room for the answer";
        return -1;
    }
    memcpy(answer->body, invocation->event, invocation->length);
    answer->length = invocation->length;
    return 0;
}
