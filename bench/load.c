/*
 * The load of the benchmarks: requests in a closed loop over keep-alive connections, each connection with its own path.
 * A C program, so that the client costs little and the same for every server.
 *   load ADDRESS PORT HOST CONNECTIONS REQUESTS BODY_BYTES PATH [PATH...]
 * A body of 0 bytes is a GET. Prints one line of JSON. Times are in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 262144

enum phase { HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

typedef struct {
  int fd, path;
  enum phase phase;
  long left, sent, line;
  double began;
  size_t used;
  char head[65536];
  char *request;
  long request_bytes;
} connection;

typedef struct {
  double *times;
  long count;
} series;

static series *results;
static long errors, throttled, received;
static char buffer[READ_BYTES];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void begin_body(connection *c) {
  int status = atoi(c->head + 9);
  char *length = strcasestr(c->head, "\r\ncontent-length:");
  if (status == 429) throttled++;
  else if (status != 200) errors++;
  if (strcasestr(c->head, "\r\nx-amz-function-error:")) errors++;
  c->left = length ? atol(length + 17) : 0;
  c->phase = !length && strcasestr(c->head, "\r\ntransfer-encoding: chunked") ? CHUNK_SIZE : LENGTH;
  c->line = 0;
}

/* Takes bytes of a response. Returns whether it is complete. */
static int take(connection *c, const char *at, size_t bytes) {
  received += (long)bytes;
  if (c->phase == HEAD) {
    size_t room = sizeof c->head - 1 - c->used, part = bytes < room ? bytes : room, before = c->used;
    memcpy(c->head + c->used, at, part);
    c->used += part;
    c->head[c->used] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return 0;
    size_t consumed = (size_t)(end + 4 - c->head) - before;
    end[2] = 0;
    begin_body(c);
    at += consumed;
    bytes -= consumed;
  }
  if (c->phase == LENGTH) {
    c->left -= (long)bytes;
    return c->left <= 0;
  }
  while (bytes > 0) {
    if (c->phase == CHUNK_DATA) {
      size_t part = (size_t)c->left < bytes ? (size_t)c->left : bytes;
      c->left -= (long)part, at += part, bytes -= part;
      if (c->left == 0) c->phase = CHUNK_END;
      continue;
    }
    char byte = *at++;
    bytes--;
    if (c->phase == CHUNK_SIZE) {
      if (byte == '\n') c->phase = c->left == 0 ? TRAILER : CHUNK_DATA, c->line = 0;
      else if (byte != '\r') c->left = c->left * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
    } else if (c->phase == CHUNK_END) {
      if (byte == '\n') c->phase = CHUNK_SIZE, c->left = 0;
    } else if (byte == '\n') {
      if (c->line == 0) return 1;
      c->line = 0;
    } else if (byte != '\r') c->line++;
  }
  return 0;
}

static void start(connection *c) {
  c->phase = HEAD, c->used = 0, c->sent = 0, c->began = now();
}

static void finish(connection *c) {
  series *s = &results[c->path];
  s->times[s->count++] = now() - c->began;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double at_share(series *s, double share) {
  return s->count ? s->times[(long)((double)(s->count - 1) * share)] : 0;
}

static void alone(connection *c, long requests) {
  for (long n = 0; n < requests; n++) {
    start(c);
    while (c->sent < c->request_bytes) {
      ssize_t out = send(c->fd, c->request + c->sent, (size_t)(c->request_bytes - c->sent), MSG_NOSIGNAL);
      if (out < 0) fail("send");
      c->sent += out;
    }
    for (int done = 0; !done;) {
      ssize_t in = recv(c->fd, buffer, sizeof buffer, 0);
      if (in <= 0) fail("recv");
      done = take(c, buffer, (size_t)in);
    }
    finish(c);
  }
}

/* Sends what the socket takes, and waits for the rest. */
static void push(int poll, connection *c) {
  while (c->sent < c->request_bytes) {
    ssize_t out =
        send(c->fd, c->request + c->sent, (size_t)(c->request_bytes - c->sent), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out < 0) break;
    c->sent += out;
  }
  struct epoll_event event = {.events = c->sent < c->request_bytes ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
  if (c->sent < c->request_bytes || c->line < 0) epoll_ctl(poll, EPOLL_CTL_MOD, c->fd, &event);
  c->line = c->sent < c->request_bytes ? -1 : 0;
}

static void together(connection *all, int count, long requests) {
  int poll = epoll_create1(0);
  long begun = 0, ended = 0;
  for (int i = 0; i < count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
    if (begun++ < requests) start(&all[i]), push(poll, &all[i]);
  }
  struct epoll_event events[256];
  while (ended < requests) {
    int ready = epoll_wait(poll, events, 256, 30000);
    if (ready <= 0) fail("no response within 30 s");
    for (int i = 0; i < ready; i++) {
      connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) push(poll, c);
      if (!(events[i].events & ~EPOLLOUT)) continue;
      ssize_t in = recv(c->fd, buffer, sizeof buffer, 0);
      if (in <= 0) fail("recv");
      if (!take(c, buffer, (size_t)in)) continue;
      finish(c);
      ended++;
      if (begun++ < requests) start(c), push(poll, c);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  int connections = atoi(argv[4]), paths = argc - 7;
  long requests = atol(argv[5]), body_bytes = atol(argv[6]);
  connection *all = calloc((size_t)connections, sizeof *all);
  results = calloc((size_t)paths, sizeof *results);
  for (int i = 0; i < paths; i++) results[i].times = malloc(sizeof(double) * (size_t)(requests + 1));
  for (int i = 0; i < connections; i++) {
    connection *c = &all[i];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
    int one = 1;
    c->path = i % paths;
    c->request = malloc((size_t)body_bytes + 1024);
    char *path = argv[7 + c->path];
    if (body_bytes == 0) c->request_bytes = sprintf(c->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, argv[3]);
    else {
      long head = sprintf(c->request, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %ld\r\n\r\n", path, argv[3],
                          body_bytes);
      memset(c->request + head, 'x', (size_t)body_bytes);
      c->request[head] = c->request[head + body_bytes - 1] = '"';
      c->request_bytes = head + body_bytes;
    }
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  double began = now();
  if (connections == 1) alone(&all[0], requests);
  else together(all, connections, requests);
  double seconds = (now() - began) / 1e6;
  series whole = {malloc(sizeof(double) * (size_t)(requests + 1)), 0};
  for (int i = 0; i < paths; i++) {
    memcpy(whole.times + whole.count, results[i].times, sizeof(double) * (size_t)results[i].count);
    whole.count += results[i].count;
    qsort(results[i].times, (size_t)results[i].count, sizeof(double), ascending);
  }
  qsort(whole.times, (size_t)whole.count, sizeof(double), ascending);
  printf("{\"seconds\":%.6f,\"requests\":%ld,\"errors\":%ld,\"throttled\":%ld,\"bytes\":%ld,"
         "\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"pathP99\":[",
         seconds, whole.count, errors, throttled, received, at_share(&whole, 0.5), at_share(&whole, 0.9),
         at_share(&whole, 0.99));
  for (int i = 0; i < paths; i++) printf("%s%.2f", i ? "," : "", at_share(&results[i], 0.99));
  printf("]}\n");
  return 0;
}
