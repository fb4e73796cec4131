#define _GNU_SOURCE
#include "handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int served;
static char message[256];

int initialize(struct answer *failure) {
    const char *handler = getenv("_HANDLER");
    if (handler == NULL || strcmp(handler, "missing.handler") != 0) return 0;
    failure->error_type = "Runtime.NoSuchHandler";
    failure->error_message = "there is no missing.handler";
    return -1;
}

static int is(const struct invocation *invocation, const char *what) {
    size_t length = invocation->length < 256 ? invocation->length : 256;
    return memmem(invocation->event, length, what, strlen(what)) != NULL;
}

static int text(struct answer *answer, const char *format, const char *value) {
    answer->length = asprintf(&answer->body, format, value);
    return 0;
}

/* A JSON string with the few escapes that the cases use. */
static void read_message(const char *at) {
    size_t length = 0;
    for (; *at && *at != '"' && length < sizeof message - 1; at++) {
        if (*at == '\\') at++, message[length++] = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at;
        else message[length++] = *at;
    }
    message[length] = '\0';
}

int handle(const struct invocation *invocation, struct answer *answer) {
    served++;
    if (is(invocation, "\"do\":\"fail\"")) {
        read_message(strstr(invocation->event, "\"message\":\"") + 11);
        answer->error_type = "Function.Failed";
        answer->error_message = message;
        return -1;
    }
    if (is(invocation, "\"do\":\"size\"")) {
        size_t size = strtoull(strstr(invocation->event, "\"size\":") + 7, NULL, 10);
        answer->body = malloc(size + 2);
        memset(answer->body, 'x', size + 2);
        answer->body[0] = answer->body[size + 1] = '"';
        answer->length = size + 2;
        return 0;
    }
    if (is(invocation, "\"do\":\"trace\"")) return text(answer, "\"%s\"", getenv("_X_AMZN_TRACE_ID"));
    if (is(invocation, "\"do\":\"count\"")) {
        char number[16];
        snprintf(number, sizeof number, "%d", served);
        return text(answer, "%s", number);
    }
    if (is(invocation, "\"do\":\"log\"")) {
        printf("to standard output\n");
        fprintf(stderr, "to standard error\n");
        return text(answer, "%s", "null");
    }
    answer->body = malloc(invocation->length);
    memcpy(answer->body, invocation->event, invocation->length);
    answer->length = invocation->length;
    return 0;
}
