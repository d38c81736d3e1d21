// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

/* HOST and PORT of an address; HOST without its brackets. */
struct parts {
    char host[256];
    long port;
};

static bool parse_port(const char *text, long *out)
{
    char *end = NULL;
    *out = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out >= 0 && *out <= 65535;
}

static bool split(const char *text, struct parts *out)
{
    const char *colon = strrchr(text, ':');
    const char *host = colon != NULL ? text : "127.0.0.1";
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(host);
    if (colon != NULL && *host == '[' && length >= 2 && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (colon != NULL && memchr(host, ':', length) != NULL) {
        return false;
    }
    if (length == 0 || length >= sizeof out->host)
        return false;
    memcpy(out->host, host, length);
    out->host[length] = '\0';
    return parse_port(colon != NULL ? colon + 1 : text, &out->port);
}

static long bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(fd, &address.any, &length) != 0)
        return -1;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Binds `port` for a moment: the port that it got, else -errno. */
static long try_port(const struct addrinfo *where, long port)
{
    struct sockaddr_storage address = {0};
    memcpy(&address, where->ai_addr, where->ai_addrlen);
    if (where->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    int fd CLEANUP(file_close) = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (const struct sockaddr *)&address, where->ai_addrlen) != 0 || listen(fd, 1) != 0)
        return -errno;
    return bound_port(fd);
}

enum status stack_tcp_choose(struct arena *arena, const char *wanted, const char **address, bool *moved,
                             struct err *err)
{
    struct parts parts;
    if (!split(wanted, &parts))
        return err_set(err, STATUS_INVALID, "'%.80s' is no address: expected HOST:PORT or PORT", wanted);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(parts.host, NULL, &hints, &found);
    if (failure != 0)
        return err_set(err, STATUS_INVALID, "cannot resolve '%s': %s", parts.host, gai_strerror(failure));
    long port = try_port(found, parts.port);
    *moved = port == -EADDRINUSE;
    if (*moved)
        port = try_port(found, 0);
    freeaddrinfo(found);
    if (port < 0)
        return err_set_errno(err, STATUS_UNAVAILABLE, (int)-port, "cannot listen on %s", wanted);
    bool brackets = strchr(parts.host, ':') != NULL;
    *address = arena_printf(arena, brackets ? "[%s]:%ld" : "%s:%ld", parts.host, port);
    return *address != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

bool stack_tcp_is_loopback(const char *address)
{
    struct parts parts;
    return split(address, &parts) && (strcmp(parts.host, "localhost") == 0 ||
                                      strcmp(parts.host, "::1") == 0 || strncmp(parts.host, "127.", 4) == 0);
}
