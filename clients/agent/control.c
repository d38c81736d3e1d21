// SPDX-License-Identifier: Apache-2.0
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

static enum status fill_address(const char *path, struct sockaddr_un *out, struct err *err)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path)
        return err_set(err, STATUS_INVALID, "socket path is too long: %s", path);
    memcpy(out->sun_path, path, strlen(path) + 1);
    return STATUS_OK;
}

static enum status listen_at(const char *path, int type, int *out, struct err *err)
{
    struct sockaddr_un address;
    TRY(fill_address(path, &address, err));
    unlink(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0) {
        enum status status = err_set_errno(err, STATUS_IO, errno, "cannot listen at %s", path);
        file_close(&fd);
        return status;
    }
    *out = fd;
    return STATUS_OK;
}

enum status control_listen(const char *path, int *out, struct err *err)
{
    return listen_at(path, SOCK_SEQPACKET, out, err);
}

enum status control_listen_stream(const char *path, int *out, struct err *err)
{
    return listen_at(path, SOCK_STREAM, out, err);
}

enum status control_connect(const char *path, int *out, struct err *err)
{
    struct sockaddr_un address;
    TRY(fill_address(path, &address, err));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        enum status status = err_set_errno(err, STATUS_UNAVAILABLE, errno, "cannot reach %s", path);
        file_close(&fd);
        return status;
    }
    *out = fd;
    return STATUS_OK;
}

bool control_send(int fd, enum control_kind kind, int64_t a, int64_t b, const char *text)
{
    struct control_message message = {.version = CONTROL_VERSION, .kind = (uint32_t)kind, .a = a, .b = b};
    if (text != NULL)
        snprintf(message.text, sizeof message.text, "%s", text);
    return fd >= 0 && send(fd, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

int control_receive(int fd, struct control_message *out)
{
    ssize_t got = recv(fd, out, sizeof *out, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got != (ssize_t)sizeof *out || out->version != CONTROL_VERSION)
        return -1;
    out->text[sizeof out->text - 1] = '\0';
    return 1;
}
