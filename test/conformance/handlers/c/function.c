#define _GNU_SOURCE
#include "handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int served;
static char message[256];

int initialize(struct result *failure) {
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

static int text(struct result *result, const char *format, const char *value) {
    result->length = asprintf(&result->body, format, value);
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

int handle(const struct invocation *invocation, struct result *result) {
    served++;
    if (is(invocation, "\"do\":\"fail\"")) {
        read_message(strstr(invocation->event, "\"message\":\"") + 11);
        result->error_type = "Function.Failed";
        result->error_message = message;
        return -1;
    }
    if (is(invocation, "\"do\":\"size\"")) {
        size_t size = strtoull(strstr(invocation->event, "\"size\":") + 7, NULL, 10);
        result->body = malloc(size + 2);
        memset(result->body, 'x', size + 2);
        result->body[0] = result->body[size + 1] = '"';
        result->length = size + 2;
        return 0;
    }
    if (is(invocation, "\"do\":\"trace\"")) return text(result, "\"%s\"", getenv("_X_AMZN_TRACE_ID"));
    if (is(invocation, "\"do\":\"count\"")) {
        char number[16];
        snprintf(number, sizeof number, "%d", served);
        return text(result, "%s", number);
    }
    if (is(invocation, "\"do\":\"log\"")) {
        printf("to standard output\n");
        fprintf(stderr, "to standard error\n");
        return text(result, "%s", "null");
    }
    result->body = malloc(invocation->length);
    memcpy(result->body, invocation->event, invocation->length);
    result->length = invocation->length;
    return 0;
}
