/* The least that a server on a Unix socket could do: no parsing beyond the empty line, one fixed answer, epoll.
 *
 * usage: epoll SOCKET BODY_BYTES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: epoll SOCKET BODY_BYTES\n");
        return 64;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    size_t body = (size_t)atol(argv[2]);
    char *answer = malloc(body + 128), buffer[4096];
    if (!answer) fail("malloc");
    size_t length = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    memset(answer + length, 'x', body);
    length += body;

    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
    if (listener < 0 || poller < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        listen(listener, 512) || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event))
        fail("listen");
    for (;;) {
        int ready = epoll_wait(poller, events, 64, -1);
        for (int index = 0; index < ready; index++) {
            int fd = events[index].data.fd;
            if (fd == listener) {
                event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (event.data.fd >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event)) fail("epoll_ctl");
                continue;
            }
            ssize_t got = recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0) {
                close(fd);
            } else if (got >= 4 && !memcmp(buffer + got - 4, "\r\n\r\n", 4)) {
                if (send(fd, answer, length, MSG_NOSIGNAL) != (ssize_t)length) close(fd);
            }
        }
    }
}
