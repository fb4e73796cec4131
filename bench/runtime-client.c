/*
 * The minimum of a runtime, as a floor for the others: one socket, GET next, POST the event back. Events may come in
 * chunks. With the variable RESPONSE set, it answers with its value instead.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ROOM (8 * 1024 * 1024)
#define HEAD_ROOM 1024

static char received[ROOM], request[HEAD_ROOM + ROOM];
static size_t have;

static void more(int fd) {
  if (have == ROOM - 1) exit(1);
  ssize_t got = recv(fd, received + have, ROOM - 1 - have, 0);
  if (got <= 0) exit(0);
  have += (size_t)got;
  received[have] = 0;
}

/* Joins the chunks that follow `body`. Returns their length. */
static size_t dechunk(int fd, size_t body) {
  size_t from = body, length = 0;
  for (;;) {
    char *line;
    while (!(line = memmem(received + from, have - from, "\r\n", 2))) more(fd);
    size_t size = strtoul(received + from, NULL, 16), data = (size_t)(line + 2 - received);
    while (have < data + size + 2) more(fd);
    if (size == 0) return length;
    memmove(received + body + length, received + data, size);
    length += size;
    from = data + size + 2;
  }
}

/* Receives a response. Its body is at the returned place, and `bytes` long. */
static char *receive(int fd, char *id, size_t *bytes) {
  char *end;
  have = 0;
  received[0] = 0;
  while (!(end = strstr(received, "\r\n\r\n"))) more(fd);
  size_t body = (size_t)(end + 4 - received);
  *end = 0;
  char *found = strcasestr(received, "request-id:"), *length = strcasestr(received, "content-length:");
  if (found) sscanf(found + 11, " %63s", id);
  if (!length) *bytes = strcasestr(received, "chunked") ? dechunk(fd, body) : 0;
  else {
    *bytes = strtoul(length + 15, NULL, 10);
    while (have < body + *bytes) more(fd);
  }
  return received + body;
}

static void deliver(int fd, const char *from, size_t bytes) {
  while (bytes > 0) {
    ssize_t out = write(fd, from, bytes);
    if (out < 0) exit(0);
    from += out;
    bytes -= (size_t)out;
  }
}

int main(void) {
  char api[64], id[64] = "", next[128];
  snprintf(api, sizeof api, "%s", getenv("AWS_LAMBDA_RUNTIME_API"));
  const char *response = getenv("RESPONSE");
  char *port = strchr(api, ':');
  *port++ = 0;
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  inet_pton(AF_INET, api, &address.sin_addr);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int next_bytes = snprintf(next, sizeof next, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
  for (;;) {
    size_t bytes;
    deliver(fd, next, (size_t)next_bytes);
    char *body = receive(fd, id, &bytes);
    if (response) body = memcpy(request + HEAD_ROOM, response, bytes = strlen(response));
    int head = snprintf(request, HEAD_ROOM,
      "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n", id, api, bytes);
    memmove(request + head, body, bytes);
    deliver(fd, request, (size_t)head + bytes);
    receive(fd, id, &bytes);
  }
}
