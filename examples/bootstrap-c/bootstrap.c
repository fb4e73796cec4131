/*
 * A Lambda runtime in C that uses only the C library: one connection to the Runtime API, one event after another.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
 */
#define _GNU_SOURCE
#include "handler.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define API "/2018-06-01/runtime"

struct response {
    int status;
    /* From malloc; contains `body`. */
    char *head;
    char *body;
    size_t length;
};

static char host[256];
static const char *port;
static int connection = -1;

static void die(const char *what) {
    fprintf(stderr, "bootstrap: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) die("out of memory");
    return memory;
}

/* Accepts only IP addresses, which Lambda uses: resolving names needs shared libraries. */
static int open_connection(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int on = 1;
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) return -1;
    if (connect(made, (struct sockaddr *)&address, sizeof address) != 0) {
        close(made);
        return -1;
    }
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

static int send_all(const char *head, size_t head_length, const char *body, size_t length) {
    struct iovec parts[2] = {{(void *)head, head_length}, {(void *)body, length}};
    int first = 0;
    while (first < 2) {
        struct msghdr message = {.msg_iov = parts + first, .msg_iovlen = 2 - first};
        ssize_t sent = sendmsg(connection, &message, MSG_NOSIGNAL);
        if (sent < 0) return -1;
        while (first < 2 && (size_t)sent >= parts[first].iov_len) sent -= parts[first++].iov_len;
        if (first < 2) {
            parts[first].iov_base = (char *)parts[first].iov_base + sent;
            parts[first].iov_len -= sent;
        }
    }
    return 0;
}

/* A pointer to the value of a header in `head`; NULL if the header is missing. */
static char *header(char *head, const char *name) {
    size_t length = strlen(name);
    for (char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':') continue;
        char *value = line + 3 + length;
        while (*value == ' ') value++;
        return value;
    }
    return NULL;
}

static char *copy_header(char *head, const char *name) {
    char *value = header(head, name);
    return strndup(value ? value : "", value ? strcspn(value, "\r") : 0);
}

/* The bytes of one response received so far. */
struct input {
    char *bytes;
    size_t have, room;
};

static int read_more(struct input *in) {
    if (in->have == in->room && (in->bytes = realloc(in->bytes, (in->room *= 2) + 1)) == NULL) die("out of memory");
    ssize_t got = recv(connection, in->bytes + in->have, in->room - in->have, 0);
    if (got <= 0) return -1;
    in->have += got;
    in->bytes[in->have] = '\0';
    return 0;
}

/* Joins the chunks from `start` on. Returns their total size, or -1. */
static ssize_t read_chunks(struct input *in, size_t start) {
    size_t filled = start, at = start;
    for (;;) {
        char *line_end;
        while ((line_end = memmem(in->bytes + at, in->have - at, "\r\n", 2)) == NULL)
            if (read_more(in) != 0) return -1;
        size_t size = strtoull(in->bytes + at, NULL, 16);
        at = line_end + 2 - in->bytes;
        while (in->have < at + size + 2)
            if (read_more(in) != 0) return -1;
        memmove(in->bytes + filled, in->bytes + at, size);
        filled += size;
        at += size + 2;
        if (size == 0) return filled - start;
    }
}

static ssize_t read_length(struct input *in, size_t start, size_t length) {
    while (in->have < start + length)
        if (read_more(in) != 0) return -1;
    return length;
}

/* Lambda sends events of more than 2 KiB in chunks, everything else with a Content-Length. */
static int receive(struct response *response) {
    struct input in = {.bytes = allocate(16384 + 1), .have = 0, .room = 16384};
    char *end = NULL;
    while (end == NULL) {
        if (read_more(&in) != 0) {
            free(in.bytes);
            return -1;
        }
        end = memmem(in.bytes, in.have, "\r\n\r\n", 4);
    }
    *end = '\0';
    size_t start = end + 4 - in.bytes;
    char *coding = header(in.bytes, "Transfer-Encoding"), *length = header(in.bytes, "Content-Length");
    int is_chunked = coding != NULL && strncasecmp(coding, "chunked", 7) == 0;
    ssize_t got = is_chunked ? read_chunks(&in, start) : read_length(&in, start, length ? strtoull(length, NULL, 10) : 0);
    if (got < 0) {
        free(in.bytes);
        return -1;
    }
    response->head = in.bytes;
    response->status = atoi(in.bytes + 9);
    response->body = in.bytes + start;
    response->length = got;
    response->body[got] = '\0';
    return 0;
}

/* Sends a request and returns the response. Retries on a new connection at most `may_repeat` times. */
static struct response call(const char *method, const char *path, const char *error_type, const char *body,
                            size_t length, int may_repeat) {
    char head[1024];
    int size = snprintf(head, sizeof head,
                        "%s " API "%s HTTP/1.1\r\nHost: %s:%s\r\n%s%.128s%sContent-Length: %zu\r\n\r\n", method, path,
                        host, port, error_type ? "Lambda-Runtime-Function-Error-Type: " : "",
                        error_type ? error_type : "", error_type ? "\r\n" : "", length);
    struct response response;
    for (;; may_repeat--) {
        if (connection < 0 && (connection = open_connection()) < 0) die("cannot reach the Runtime API");
        if (send_all(head, size, body, length) == 0 && receive(&response) == 0) return response;
        close(connection);
        connection = -1;
        if (may_repeat <= 0) die("lost the connection to the Runtime API");
    }
}

static void post(const char *path, const char *error_type, const char *body, size_t length) {
    struct response response = call("POST", path, error_type, body, length, 0);
    if (response.status >= 300) fprintf(stderr, "bootstrap: POST %s: %d %s", path, response.status, response.body);
    free(response.head);
}

/* {"errorMessage":...,"errorType":...} */
static void report(const char *path, const struct result *failure) {
    const char *message = failure->error_message ? failure->error_message : "";
    const char *type = failure->error_type ? failure->error_type : "Function.Failed";
    char *json = allocate(6 * strlen(message) + strlen(type) + 64), *at = json;
    at += sprintf(at, "{\"errorMessage\":\"");
    for (const unsigned char *each = (const unsigned char *)message; *each; each++) {
        if (*each == '"' || *each == '\\') at += sprintf(at, "\\%c", *each);
        else if (*each < 0x20) at += sprintf(at, "\\u%04x", *each);
        else *at++ = (char)*each;
    }
    at += sprintf(at, "\",\"errorType\":\"%s\"}", type);
    post(path, type, json, at - json);
    free(json);
}

static void serve(void) {
    struct response next = call("GET", "/invocation/next", NULL, NULL, 0, 5);
    if (next.status != 200) {
        fprintf(stderr, "bootstrap: GET next: %d %s", next.status, next.body);
        exit(1);
    }
    char *request_id = copy_header(next.head, "Lambda-Runtime-Aws-Request-Id");
    char *trace_id = copy_header(next.head, "Lambda-Runtime-Trace-Id");
    char *deadline = header(next.head, "Lambda-Runtime-Deadline-Ms");
    setenv("_X_AMZN_TRACE_ID", trace_id, 1);

    struct invocation invocation = {request_id, trace_id, deadline ? atoll(deadline) : 0, next.body, next.length};
    struct result result = {0};
    int failed = handle(&invocation, &result);
    char path[256];
    snprintf(path, sizeof path, "/invocation/%s/%s", request_id, failed ? "error" : "response");
    if (failed) report(path, &result);
    else post(path, NULL, result.body, result.length);

    free(result.body);
    free(request_id);
    free(trace_id);
    free(next.head);
}

int main(void) {
    /* One write per line of the log. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    const char *colon = address ? strrchr(address, ':') : NULL;
    if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
        fprintf(stderr, "bootstrap: AWS_LAMBDA_RUNTIME_API is not host:port\n");
        return 1;
    }
    memcpy(host, address, colon - address);
    port = colon + 1;

    struct result failure = {0};
    if (initialize(&failure) != 0) {
        report("/init/error", &failure);
        return 1;
    }
    for (;;) serve();
}
