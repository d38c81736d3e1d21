// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "rpc/server_internal.h"

/* "unix:/path", "unix:path" and "unix:///path" name a file. */
static const char *unix_path(const char *address)
{
    const char *path = address + strlen("unix:");
    return strncmp(path, "///", 3) == 0 ? path + 2 : path;
}

static bool fill_unix(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof out->sun_path)
        return false;
    memcpy(out->sun_path, path, length + 1);
    return true;
}

/* The core removes an existing socket file, so a live server's would be stolen: ask whether one answers. */
static enum status check_unix_free(const char *path, struct err *err)
{
    struct sockaddr_un name;
    if (!fill_unix(path, &name))
        return err_set(err, STATUS_INVALID, "socket path '%s' is empty or too long", path);
    int fd CLEANUP(file_close) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot open a socket");
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) == 0 || errno == EAGAIN)
        return err_set(err, STATUS_UNAVAILABLE, "address unix:%s is taken", path);
    return STATUS_OK;
}

static enum status listen_unix(struct rpc_server *server, size_t index, struct err *err)
{
    const char *path = unix_path(server->addresses[index]);
    TRY(check_unix_free(path, err));
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    int bound = grpc_server_add_http2_port(server->core, server->addresses[index], plain);
    grpc_server_credentials_release(plain);
    if (bound == 0)
        return err_set(err, STATUS_IO, "cannot listen on %s", server->addresses[index]);
    if (chmod(path, 0600) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot protect %s", path);
    return STATUS_OK;
}

/* Splits "host:port" or "[host]:port". */
static bool split_address(const char *address, char host[256], char port[16])
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(colon + 1) >= 16 || colon[1] == '\0')
        return false;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    }
    if (length >= 256)
        return false;
    memcpy(host, address, length);
    host[length] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static int try_bind(const struct addrinfo *info)
{
    int fd CLEANUP(file_close) = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return errno;
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, 1) != 0)
        return errno;
    return 0;
}

/* The core says only that it failed: find out why. */
static enum status explain_failure(const struct rpc_server *server, const char *address, const char *host,
                                   const char *port, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *info = NULL;
    if (getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &info) != 0)
        return err_set(err, STATUS_INVALID, "address '%s' is not known", address);
    int failure = try_bind(info);
    freeaddrinfo(info);
    if (failure == EADDRINUSE)
        return err_set(err, STATUS_UNAVAILABLE, "address %s is taken", address);
    if (failure != 0)
        return err_set_errno(err, STATUS_IO, failure, "cannot listen on %s", address);
    if (server->tls)
        return err_set(err, STATUS_INVALID, "the certificate or its key was not accepted");
    return err_set(err, STATUS_IO, "cannot listen on %s", address);
}

static enum status listen_tcp(struct rpc_server *server, size_t index, struct err *err)
{
    const char *address = server->addresses[index];
    char host[256], port[16];
    if (!split_address(address, host, port)) /* the core would take port 443 */
        return err_set(err, STATUS_INVALID, "'%s' is not host:port", address);
    server->ports[index] = grpc_server_add_http2_port(server->core, address, server->credentials[index].core);
    return server->ports[index] != 0 ? STATUS_OK : explain_failure(server, address, host, port, err);
}

enum status server_listen(struct rpc_server *server, struct err *err)
{
    for (size_t i = 0; i < server->address_count; i++) {
        bool local = credentials_is_unix(server->addresses[i]);
        TRY(local ? listen_unix(server, i, err) : listen_tcp(server, i, err));
    }
    return STATUS_OK;
}
