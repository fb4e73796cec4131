/* The minimum of a runtime, as a floor for the others: one socket, GET next, POST the event back. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char head[65536], request[131072];

static long receive(int socket_fd, char **body, char *id) {
  size_t have = 0;
  char *end;
  do {
    long got = recv(socket_fd, head + have, sizeof head - 1 - have, 0);
    if (got <= 0) exit(0);
    head[have += (size_t)got] = 0;
  } while (!(end = strstr(head, "\r\n\r\n")));
  char *length = strcasestr(head, "content-length:");
  long bytes = length ? atol(length + 15) : 0;
  *body = end + 4;
  while ((long)(head + have - *body) < bytes) {
    long got = recv(socket_fd, head + have, sizeof head - 1 - have, 0);
    if (got <= 0) exit(0);
    have += (size_t)got;
  }
  char *found = strcasestr(head, "request-id:");
  if (found) sscanf(found + 11, " %63s", id);
  return bytes;
}

int main(void) {
  char api[64], id[64] = "", *body;
  snprintf(api, sizeof api, "%s", getenv("AWS_LAMBDA_RUNTIME_API"));
  char *port = strchr(api, ':');
  *port++ = 0;
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  inet_pton(AF_INET, api, &address.sin_addr);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  char next[128];
  int next_bytes = snprintf(next, sizeof next, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
  for (;;) {
    if (write(fd, next, (size_t)next_bytes) < 0) return 0;
    long bytes = receive(fd, &body, id);
    int length = snprintf(request, sizeof request,
      "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %ld\r\n\r\n%.*s",
      id, api, bytes, (int)bytes, body);
    if (write(fd, request, (size_t)length) < 0) return 0;
    receive(fd, &body, id);
  }
}
