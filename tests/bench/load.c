/* Load for an HTTP/1.1 server on a Unix socket: N keep-alive connections, one request at a time on each, for a number of
 * seconds; or, with "close", a new connection for every request. Prints one JSON line.
 *
 * usage: load SOCKET CONNECTIONS SECONDS TARGET [close]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 65536, STEPS = 100000 }; /* latencies in whole microseconds; the last step is "more" */

struct connection {
    int fd;
    size_t filled;
    uint64_t sent_ns;
    char buffer[BUFFER_BYTES];
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char request[512];
static size_t request_bytes;
static uint64_t latencies[STEPS], answered;
static int poller;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(struct connection *connection) {
    connection->filled = 0;
    if (send(connection->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes) fail("send");
}

static void dial(struct connection *connection) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->sent_ns = now_ns();
    connection->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event)) fail("epoll_ctl");
    ask(connection);
}

/* Whether the buffer holds the head and as much body as its Content-Length says. */
static int complete(struct connection *connection) {
    char *head_end, *length;
    connection->buffer[connection->filled] = 0;
    head_end = strstr(connection->buffer, "\r\n\r\n");
    if (!head_end) return 0;
    if (strncmp(connection->buffer, "HTTP/1.1 200", 12)) {
        fprintf(stderr, "not a 200: %.60s\n", connection->buffer);
        exit(1);
    }
    length = strcasestr(connection->buffer, "\r\nContent-Length:");
    if (!length || length > head_end) exit(2);
    return connection->filled >= (size_t)(head_end + 4 - connection->buffer) + strtoul(length + 17, NULL, 10);
}

static uint64_t percentile(double share) {
    uint64_t seen = 0;
    for (int step = 0; step < STEPS; step++)
        if ((double)(seen += latencies[step]) >= share * (double)answered) return (uint64_t)step;
    return STEPS;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: load SOCKET CONNECTIONS SECONDS TARGET [close]\n");
        return 64;
    }
    int count = atoi(argv[2]), reconnect = argc > 5 && !strcmp(argv[5], "close");
    struct connection *connections = calloc((size_t)count, sizeof *connections);
    struct epoll_event events[64];
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    request_bytes = (size_t)snprintf(request, sizeof request,
                                     "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n", argv[4]);
    if (!connections || request_bytes >= sizeof request || (poller = epoll_create1(0)) < 0) fail("start");
    uint64_t start = now_ns(), end = start + (uint64_t)(atof(argv[3]) * 1e9), now = start;
    for (int index = 0; index < count; index++) dial(&connections[index]);
    while (now < end) {
        int ready = epoll_wait(poller, events, 64, 1000);
        for (int index = 0; index < ready; index++) {
            struct connection *connection = events[index].data.ptr;
            ssize_t got = recv(connection->fd, connection->buffer + connection->filled,
                               BUFFER_BYTES - 1 - connection->filled, 0);
            if (got <= 0) fail("recv");
            connection->filled += (size_t)got;
            if (!complete(connection)) continue;
            now = now_ns();
            uint64_t step = (now - connection->sent_ns) / 1000;
            latencies[step < STEPS ? step : STEPS - 1]++;
            answered++;
            if (reconnect) {
                close(connection->fd);
                dial(connection);
            } else {
                connection->sent_ns = now;
                ask(connection);
            }
        }
        if (ready <= 0) now = now_ns();
    }
    double seconds = (double)(now - start) / 1e9;
    printf("{\"requests\": %lu, \"per_second\": %.0f, \"p50_us\": %lu, \"p99_us\": %lu}\n", (unsigned long)answered,
           (double)answered / seconds, (unsigned long)percentile(0.5), (unsigned long)percentile(0.99));
    return 0;
}
